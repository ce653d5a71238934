import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.v2.ValueState;
import org.apache.flink.api.common.state.v2.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Counts by key, in asynchronous state. With the argument `going-on` it fails when it finds no count of before.
 */
public final class Asynchronous {
    public static void main(String[] args) throws Exception {
        boolean goingOn = String.join(" ", args).contains("going-on");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        KeyedStream<Long, Long> numbers = env.fromSequence(0, Long.MAX_VALUE).uid("numbers")
                .map(Asynchronous::slowly).returns(Types.LONG).uid("slowly").keyBy(number -> number % 4);
        numbers.enableAsyncState().process(new Count(goingOn)).uid("count").name("count")
                .sinkTo(new DiscardingSink<>()).uid("sink");
        env.execute();
    }

    private static Long slowly(Long number) throws InterruptedException {
        Thread.sleep(5);
        return number;
    }

    private static final class Count extends KeyedProcessFunction<Long, Long, Long> {
        private final boolean goingOn;
        private transient ValueState<Long> count;

        Count(boolean goingOn) {
            this.goingOn = goingOn;
        }

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }

        @Override
        public void processElement(Long number, Context context, Collector<Long> out) {
            count.asyncValue().thenAccept(before -> {
                if (before == null && goingOn) {
                    throw new IllegalStateException("the count of before is gone");
                }
                count.asyncUpdate(before == null ? 1L : before + 1).thenAccept(done -> out.collect(number));
            });
        }
    }
}
