import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.DiscardingSink;

/** Counts, as `Managed` does, by what Flink 1.15 to 1.20 have in common. */
public final class Earlier {
    private static final Path PROPERTIES = Path.of("/etc/flink/application_properties.json");

    public static void main(String[] args) throws Exception {
        String properties = Files.readString(PROPERTIES).replaceAll("\\s", "");
        String counts = properties.replaceAll(".*\"counts\":\"([^\"]*)\".*", "$1");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(0, Long.MAX_VALUE).uid("source")
                .keyBy(number -> 0)
                .map(new Counting(counts)).uid("counting")
                .addSink(new DiscardingSink<>()).uid("sink");
        env.execute("earlier");
    }

    private static final class Counting extends RichMapFunction<Long, Long> {
        private final String counts;
        private transient ValueState<Long> state;

        private Counting(String counts) {
            this.counts = counts;
        }

        @Override
        public void open(Configuration parameters) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
        }

        @Override
        public Long map(Long number) throws Exception {
            Thread.sleep(2);
            long count = (state.value() == null ? 0 : state.value()) + 1;
            state.update(count);
            if (count % 20 == 1) {
                Files.writeString(Path.of(counts), count + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            }
            return count;
        }
    }
}
