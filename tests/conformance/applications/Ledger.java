import java.io.File;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * A job for tests whose output tells whether its state was kept: numbers from 0 on, one line `number key count` each,
 * where the count is the key's so far. Misbehaves as its arguments (`key=value`) say.
 */
public final class Ledger {
    private static final int KEYS = 8;

    public static void main(String[] args) throws Exception {
        Map<String, String> wish = new HashMap<>();
        for (String arg : args) {
            String[] parts = arg.split("=", 2);
            wish.put(parts[0], parts.length > 1 ? parts[1] : "");
        }
        if (wish.containsKey("fail-main") || isTold(wish, "fail-main")) {
            throw new IllegalStateException("told to fail");
        }
        Thread.sleep(Long.parseLong(wish.getOrDefault("slow-main", "0")));
        long pause = Long.parseLong(wish.getOrDefault("pause", "2"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        // Slow before the exchange: behind it, its full buffers would hold up the barriers of checkpoints for long.
        DataStream<Long> numbers = env.fromSequence(0, Long.MAX_VALUE).uid("numbers").name("numbers")
                .map(number -> {
                    Thread.sleep(pause);
                    return number;
                }).returns(Long.class).uid("slowly").name("slowly");
        if (wish.containsKey("remember")) {
            numbers = numbers.map(new Remembering()).uid("remembering").name("remembering");
        }
        numbers.keyBy(number -> number % KEYS)
                .map(new Counting(wish)).uid(wish.getOrDefault("uid", "counting")).name("counting")
                .sinkTo(sink(wish.get("out"))).uid("lines").name("lines");
        env.execute();
    }

    /** Whether a file of that name is in the folder `trouble`: so a job that runs can be told to misbehave. */
    private static boolean isTold(Map<String, String> wish, String what) {
        return wish.containsKey("trouble") && Files.exists(Paths.get(wish.get("trouble"), what));
    }

    /** A function is not told whether it writes a savepoint or a checkpoint: the savepoint's directory tells. */
    private static boolean isSavepointBegun(Map<String, String> wish) {
        File[] savepoints = new File(new File(wish.get("trouble")).getParentFile(), "savepoints").listFiles();
        return Stream.of(savepoints).anyMatch(each -> !new File(each, "_metadata").exists());
    }

    private static Sink<String> sink(String folder) {
        if (folder == null) {
            return new DiscardingSink<>();
        }
        return FileSink.forRowFormat(Path.fromLocalFile(Paths.get(folder).toFile()), new SimpleStringEncoder<String>())
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .build();
    }

    /** An operator with state that may be left out of a later revision. */
    private static final class Remembering extends RichMapFunction<Long, Long> implements CheckpointedFunction {
        private transient ListState<Long> last;
        private transient long seen;

        @Override
        public Long map(Long number) {
            seen = number;
            return number;
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            last.update(List.of(seen));
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            last = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("last", Long.class));
        }
    }

    private static final class Counting extends RichMapFunction<Long, String> implements CheckpointedFunction {
        private final Map<String, String> wish;
        private transient ValueState<Long> count;
        private transient long opened;

        private Counting(Map<String, String> wish) {
            this.wish = wish;
        }

        @Override
        public void open(OpenContext context) throws Exception {
            Thread.sleep(Long.parseLong(wish.getOrDefault("slow-start", "0")));
            opened = System.nanoTime();
            if ("int".equals(wish.get("type"))) {
                getRuntimeContext().getState(new ValueStateDescriptor<>("count", Integer.class));
            }
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
        }

        @Override
        public String map(Long number) throws Exception {
            if (wish.containsKey("fail")) {
                throw new IllegalStateException("told to fail at number " + number);
            }
            if (isTold(wish, "throw")) {
                throw new IllegalStateException("told to throw from now on");
            }
            if (wish.containsKey("fail-after")
                    && System.nanoTime() - opened > Long.parseLong(wish.get("fail-after")) * 1_000_000) {
                throw new IllegalStateException("told to fail after " + wish.get("fail-after") + " ms");
            }
            if (wish.containsKey("fill-heap")) {
                List<byte[]> held = new ArrayList<>();
                while (true) {
                    held.add(new byte[8 << 20]);
                }
            }
            Long before = count.value();
            count.update(before == null ? 1 : before + 1);
            return number + " " + number % KEYS + " " + count.value();
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            Thread.sleep(Long.parseLong(wish.getOrDefault("slow-snapshot", "0")));
            if (wish.containsKey("fail")) {  // on a busy machine, the first checkpoint comes before the first record
                throw new IllegalStateException("told to fail before any record came");
            }
            while (isTold(wish, "slow")) {
                Thread.sleep(20);
            }
            if (isTold(wish, "fail") || (isTold(wish, "refuse") && isSavepointBegun(wish))) {
                throw new IllegalStateException("told to write no state");
            }
        }

        @Override
        public void initializeState(FunctionInitializationContext context) {}

        /** The savepoint of a stop is written and its output committed by now; the task has not ended yet. */
        @Override
        public void close() throws Exception {
            while (isTold(wish, "linger")) {
                Thread.sleep(20);
            }
        }
    }
}
