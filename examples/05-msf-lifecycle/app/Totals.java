import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** Numbers, summed in windows of 50, and a total of the windows, which only goes up while its state is kept. */
public final class Totals {
    private static final Path PROPERTIES = Path.of("/etc/flink/application_properties.json");

    public static void main(String[] args) throws Exception {
        String output = property("output", "totals.txt");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();

        DataStream<Long> windows = env
                .fromSequence(1, Long.MAX_VALUE).uid("numbers")
                .map(Totals::slowly).returns(Long.class).uid("slowly")
                .keyBy(number -> 0)
                .countWindow(50)
                .reduce((one, other) -> Math.max(one, other)).uid("window");
        DataStream<Long> totals = windows.keyBy(window -> 0).map(new Total(output)).uid("total");
        totals.sinkTo(new DiscardingSink<>()).uid("sink");

        env.execute("totals");
    }

    /** A runtime property; as AWS's own library, the default where there is no file, such as on a developer's machine. */
    private static String property(String name, String otherwise) throws Exception {
        if (!Files.exists(PROPERTIES)) {
            return otherwise;
        }
        String text = Files.readString(PROPERTIES).replaceAll("\\s", "");
        return text.replaceAll(".*\"" + name + "\":\"([^\"]*)\".*", "$1");
    }

    private static Long slowly(Long number) throws InterruptedException {
        Thread.sleep(2);
        return number;
    }

    /** Counts the windows and writes each count into a file: the sink, where a person can read it. */
    private static final class Total extends RichMapFunction<Long, Long> {
        private final String output;
        private transient ValueState<Long> state;

        private Total(String output) {
            this.output = output;
        }

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("total", Long.class));
        }

        @Override
        public Long map(Long window) throws Exception {
            long total = (state.value() == null ? 0 : state.value()) + 1;
            state.update(total);
            Files.writeString(Path.of(output), total + " windows\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            return total;
        }
    }
}
