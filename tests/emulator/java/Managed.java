import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;

/** A job as people write them for the managed service: it reads its properties from where the service has them. */
public final class Managed {
    private static final Path PROPERTIES = Path.of("/etc/flink/application_properties.json");

    public static void main(String[] args) throws Exception {
        String properties = Files.readString(PROPERTIES).replaceAll("\\s", "");
        if (properties.contains("\"fail\":\"main\"")) {
            throw new IllegalStateException("told to fail in main");
        }
        boolean failing = properties.contains("\"fail\":\"record\"");
        long last = properties.contains("\"bounded\":\"true\"") ? 100 : Long.MAX_VALUE;
        boolean big = properties.contains("\"big\":\"true\"");
        String uid = properties.contains("\"uid\":\"other\"") ? "other" : "counting";
        Path counts = Path.of(properties.replaceAll(".*\"counts\":\"([^\"]*)\".*", "$1"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        if (properties.contains("\"set\":\"interval\"")) {
            env.enableCheckpointing(123_456);
        }
        DataStream<Long> numbers = env.fromSequence(0, last).uid("source")
                .map(Managed::slowly).returns(Long.class).uid("throttle");
        if (properties.contains("\"window\":\"true\"")) {  // ten of a second; each tenth number comes too late
            numbers.assignTimestampsAndWatermarks(WatermarkStrategy.<Long>forMonotonousTimestamps()
                            .withTimestampAssigner((number, before) -> number % 10 == 9 ? 0 : number * 100)).uid("times")
                    .windowAll(TumblingEventTimeWindows.of(Duration.ofSeconds(1))).reduce(Long::sum).uid("window")
                    .sinkTo(new DiscardingSink<>()).uid("sums");
        }
        numbers.keyBy(number -> 0)
                .map(new Counting(counts.toString(), failing, big)).uid(uid)
                .sinkTo(new DiscardingSink<>()).uid("sink");
        env.execute("managed");
    }

    private static Long slowly(Long number) throws InterruptedException {
        Thread.sleep(2);
        return number;
    }

    /** Counts, and writes each count down where a test reads it. */
    private static final class Counting extends RichMapFunction<Long, Long> {
        private final String counts;
        private final boolean failing;
        private final boolean big;
        private transient ValueState<Long> state;
        private transient ValueState<String> ballast;

        private Counting(String counts, boolean failing, boolean big) {
            this.counts = counts;
            this.failing = failing;
            this.big = big;
        }

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
            if (big) {  // so that it gets a file of its own beside _metadata
                ballast = getRuntimeContext().getState(new ValueStateDescriptor<>("ballast", String.class));
            }
        }

        @Override
        public Long map(Long number) throws Exception {
            if (failing) {
                throw new IllegalStateException("told to fail with each record");
            }
            Files.readString(PROPERTIES);  // it is there on TaskManagers, too
            long count = (state.value() == null ? 0 : state.value()) + 1;
            state.update(count);
            if (big && count == 1) {
                ballast.update("x".repeat(100_000));
            }
            if (count % 20 == 1) {
                Files.writeString(Path.of(counts), count + "\n", java.nio.file.StandardOpenOption.CREATE,
                        java.nio.file.StandardOpenOption.APPEND);
            }
            return count;
        }
    }
}
