import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/** A job that needs nothing and goes on: numbers, ten a second. */
public final class Numbers {
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(0, Long.MAX_VALUE).uid("source")
                .map(Numbers::slowly).returns(Long.class).uid("throttle")
                .sinkTo(new DiscardingSink<>()).uid("sink");
        env.execute("numbers");
    }

    private static Long slowly(Long number) throws InterruptedException {
        Thread.sleep(100);
        return number;
    }
}
