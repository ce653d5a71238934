import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** A job of the managed service for tests: counts by key, and misbehaves as its runtime properties say. */
public final class Served {
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        String path = env.getConfiguration().getOptional(
                ConfigOptions.key("scurry.application-properties").stringType().noDefaultValue())
                .orElse("/etc/flink/application_properties.json");
        String properties = Files.readString(Path.of(path)).replaceAll("\\s", "");
        if (properties.contains("\"main\":\"fails\"")) {
            throw new IllegalStateException("told to fail in main");
        }
        if (properties.contains("\"main\":\"fails-there\"") && path.startsWith("/etc")) {
            throw new IllegalStateException("told to fail on the service");
        }
        SingleOutputStreamOperator<Long> last = env.fromSequence(0, Long.MAX_VALUE).uid("source").name("source")
                .map(Served::slowly).returns(Long.class).uid("throttle").name("throttle")
                .keyBy(number -> number % 16)
                .map(new Counting(value(properties, "fail_after", ""), value(properties, "fail_when", ""),
                        value(properties, "counts", ""), value(properties, "type", "number")))
                .uid(value(properties, "uid", "counting")).name("counting");
        if (properties.contains("\"audit\":\"yes\"")) {
            last = last.keyBy(number -> number % 16).map(new Late()).uid("audit").name("audit");
        }
        last.sinkTo(new DiscardingSink<>()).uid("sink").name("sink");
        env.execute("served");
    }

    private static String value(String properties, String key, String otherwise) {
        Matcher found = Pattern.compile("\"" + key + "\":\"([^\"]*)\"").matcher(properties);
        return found.find() ? found.group(1) : otherwise;
    }

    /** Before the shuffle, so that buffers stay empty and checkpoints are quick. */
    private static Long slowly(Long number) throws InterruptedException {
        Thread.sleep(1);
        return number;
    }

    private static final class Counting extends RichMapFunction<Long, Long> {
        private final String failAfter;
        private final String failWhen;
        private final String counts;
        private final String type;
        private transient ValueState<Long> count;
        private transient long seen;

        private Counting(String failAfter, String failWhen, String counts, String type) {
            this.failAfter = failAfter;
            this.failWhen = failWhen;
            this.counts = counts;
            this.type = type;
        }

        @Override
        public void open(OpenContext context) {
            if (type.equals("text")) {
                getRuntimeContext().getState(new ValueStateDescriptor<>("count", String.class));
                return;
            }
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
        }

        @Override
        public Long map(Long number) throws Exception {
            seen++;
            if (!failAfter.isEmpty() && seen > Long.parseLong(failAfter)) {
                throw new IllegalStateException("told to fail after " + failAfter + " records");
            }
            if (!failWhen.isEmpty() && seen % 50 == 0 && Files.exists(Path.of(failWhen))) {
                throw new IllegalStateException("told to fail by a file");
            }
            Long before = count.value();
            count.update(before == null ? 1 : before + 1);
            if (!counts.isEmpty() && number % 160 == 0) {
                Files.writeString(Path.of(counts), count.value() + "\n", StandardOpenOption.CREATE,
                        StandardOpenOption.APPEND);
            }
            return count.value();
        }
    }

    /** Registers its state with its first record, so that opening it does not show any. */
    private static final class Late extends RichMapFunction<Long, Long> {
        @Override
        public Long map(Long number) throws Exception {
            getRuntimeContext().getState(new ValueStateDescriptor<>("late", Long.class)).update(number);
            return number;
        }
    }
}
