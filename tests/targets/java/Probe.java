import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** A job for tests: counts by key, and misbehaves as its arguments (`key=value`) say. */
public final class Probe {
    public static void main(String[] args) throws Exception {
        Map<String, String> wish = new HashMap<>();
        for (String arg : args) {
            String[] parts = arg.split("=", 2);
            wish.put(parts[0], parts.length > 1 ? parts[1] : "");
        }
        if (wish.containsKey("fail-main")) {
            throw new IllegalStateException("told to fail with " + String.join(" ", args));
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        String path = env.getConfiguration().getOptional(
                ConfigOptions.key("scurry.application-properties").stringType().noDefaultValue()).orElse(null);
        String properties = path == null ? "none" : new String(Files.readAllBytes(Paths.get(path))).replaceAll("\\s", "");
        env.fromSequence(0, Long.MAX_VALUE).uid("source").name("source")
                .map(Probe::slowly).returns(Long.class).uid("throttle").name("throttle")
                .keyBy(number -> number % 16)
                .map(new Counting(wish)).uid(wish.getOrDefault("uid", "counting")).name("properties " + properties)
                .sinkTo(new DiscardingSink<>()).uid("sink").name("sink");
        if (wish.containsKey("name")) {
            env.execute(wish.get("name"));
        } else {
            env.execute();
        }
    }

    /** Before the shuffle, so that buffers stay empty and checkpoints are quick. */
    private static Long slowly(Long number) throws InterruptedException {
        Thread.sleep(1);
        return number;
    }

    private static final class Counting extends RichMapFunction<Long, Long> implements CheckpointedFunction {
        private final Map<String, String> wish;
        private transient ValueState<Long> count;
        private transient long seen;

        private Counting(Map<String, String> wish) {
            this.wish = wish;
        }

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
        }

        @Override
        public Long map(Long number) throws Exception {
            seen++;
            if (wish.containsKey("fail-after") && seen > Long.parseLong(wish.get("fail-after"))) {
                throw new IllegalStateException("told to fail after " + wish.get("fail-after") + " records");
            }
            Long before = count.value();
            count.update(before == null ? 1 : before + 1);
            return count.value();
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            if (wish.containsKey("fail-snapshot")) {
                throw new IllegalStateException("told to write no state");
            }
            Thread.sleep(Long.parseLong(wish.getOrDefault("slow-snapshot", "0")));
        }

        @Override
        public void initializeState(FunctionInitializationContext context) {}
    }
}
