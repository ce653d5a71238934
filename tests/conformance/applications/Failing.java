import java.io.FileOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** A job for tests that fails in the way its first argument says: for real, as far as that can be had. */
public final class Failing {
    public static void main(String[] args) throws Exception {
        String how = args[0];
        if (how.equals("nothing-to-run")) {
            return;
        }
        if (how.equals("fail-main")) {
            throw new IllegalStateException("no prices are given");
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        DataStream<Long> numbers = env
                .fromSource(new NumberSequenceSource(0, Long.MAX_VALUE), watermarks(how), "numbers")
                .uid("numbers");
        if (how.equals("not-serializable")) {
            Object held = new Object();
            numbers = numbers.map(number -> number + held.hashCode()).returns(Long.class);
        }
        if (how.equals("back-pressured")) {
            numbers = numbers.rebalance();
        }
        numbers.map(new Doing(how)).uid("doing").name("doing")
                .keyBy(number -> how.equals("key-is-null") ? null : number % 4)
                .map(number -> number).returns(Long.class).uid("keyed").name("keyed")
                .sinkTo(new DiscardingSink<>()).uid("sink").name("sink");
        env.execute();
    }

    /** One half of the numbers has event time; the subtask that reads the other half never says how late it is. */
    private static WatermarkStrategy<Long> watermarks(String how) {
        if (!how.equals("source-idle")) {
            return WatermarkStrategy.noWatermarks();
        }
        return WatermarkStrategy.<Long>forGenerator(context -> new WatermarkGenerator<Long>() {
            @Override
            public void onEvent(Long number, long timestamp, WatermarkOutput output) {
                if (number < Long.MAX_VALUE / 2) {
                    output.emitWatermark(new Watermark(number));
                }
            }

            @Override
            public void onPeriodicEmit(WatermarkOutput output) {}
        }).withTimestampAssigner((number, before) -> number);
    }

    private static final class Doing extends RichMapFunction<Long, Long> implements CheckpointedFunction {
        private final String how;
        private transient List<Object> held;

        private Doing(String how) {
            this.how = how;
        }

        @Override
        public Long map(Long number) throws Exception {
            held = held == null ? new ArrayList<>() : held;
            switch (how) {
                case "class-missing":
                    return (long) Class.forName("com.shop.Price").hashCode();
                case "version-clash":
                    return Library.answer(number);
                case "heap-full":
                    while (true) {
                        held.add(new byte[8 << 20]);
                    }
                case "direct-memory-full":
                    while (true) {
                        held.add(ByteBuffer.allocateDirect(8 << 20));
                    }
                case "disk-full":
                    try (FileOutputStream file = new FileOutputStream("/dev/full")) {
                        file.write("x".getBytes(StandardCharsets.UTF_8));
                    }
                    return number;
                case "unknown":
                    throw new IllegalStateException("the price of number " + number + " is odd");
                case "back-pressured":
                    Thread.sleep(200);
                    return number;
                default:
                    Thread.sleep(2);
                    return number;
            }
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            if (how.equals("checkpoint-expired")) {
                Thread.sleep(3_000);
            }
            if (how.equals("checkpoint-failed")) {
                throw new IllegalStateException("told to write no state");
            }
        }

        @Override
        public void initializeState(FunctionInitializationContext context) {}
    }
}
