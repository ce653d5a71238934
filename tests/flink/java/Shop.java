import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.ReduceFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/** A job with all that matters for ids: uids and none, chains, a uid hash, a side output, a union; and bad programs. */
public class Shop {
    private static final OutputTag<Long> LATE = new OutputTag<Long>("late") {};

    public static void main(String[] args) throws Exception {
        List<String> given = Arrays.asList(args);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        switch (args.length == 0 ? "" : args[0]) {
            case "never":
                return;
            case "throws":
                throw new IllegalArgumentException("no price list", new IOException("file of " + args[1]));
            case "exits":
                quit(Integer.parseInt(args[1]));
                return;
            case "hangs":
                if (args.length > 1) {
                    Files.createFile(Path.of(args[1]));
                }
                Thread.sleep(3_600_000);
                return;
            case "connects":
                try (Socket socket = new Socket()) {
                    socket.connect(new InetSocketAddress(args[1], Integer.parseInt(args[2])), 10_000);
                }
                break;
            case "talks-to-itself":
                try (ServerSocket server = new ServerSocket(0);
                        Socket socket = new Socket("127.0.0.1", server.getLocalPort())) {
                    socket.getOutputStream().write(1);
                }
                break;
            case "looks-around":
                System.out.println("{\"operators\": \"printed by the program\"}");
                Map<String, String> options = ((Configuration) environment.getConfiguration()).toMap();
                String properties = options.get("scurry.application-properties");
                build(environment, given).name("files=" + new File(".").list().length
                        + " secret=" + System.getenv("SHOP_PASSWORD") + " plain=" + System.getenv("SHOP_COLOUR")
                        + " args=" + String.join(",", args) + " properties="
                        + (properties == null ? null : Files.readString(Path.of(properties)).replaceAll("\\s+", ""))
                        + " parameters=" + environment.getConfig().getGlobalJobParameters().toMap());
                environment.execute();
                return;
            case "spawns":
                new ProcessBuilder("/bin/sh", "-c", "touch $0; sleep 3600 & wait", args[1]).start();
                while (!new File(args[1]).exists()) {
                    Thread.sleep(5);
                }
                break;
            default:
        }
        build(environment, given);
        if (given.contains("waits")) {
            JobClient client = environment.executeAsync();
            client.getJobExecutionResult().get();
        } else {
            environment.execute();
        }
        if (given.contains("twice")) {
            environment.fromSequence(0, 9).print();
            environment.execute();
        }
    }

    private static void quit(int code) {
        System.exit(code);
    }

    private static SingleOutputStreamOperator<Long> build(StreamExecutionEnvironment environment, List<String> given) {
        boolean uids = given.contains("uids");
        SingleOutputStreamOperator<Long> orders = environment.fromSequence(0, 1L << 50);
        SingleOutputStreamOperator<Long> refunds = environment.fromSequence(0, 1L << 50).setParallelism(1);
        SingleOutputStreamOperator<Long> slow = orders.map(new Slowly());
        DataStream<Long> all = slow.union(refunds.map(new Slowly()).setParallelism(1));
        SingleOutputStreamOperator<Long> sorted = all.process(new Sorting());
        SingleOutputStreamOperator<Long> counted = sorted.keyBy(new ByThree(), Types.LONG).process(new Counting());
        SingleOutputStreamOperator<Long> summed =
                counted.keyBy(new ByThree(), Types.LONG).countWindow(5).reduce(new Summing());
        if (uids) {
            orders.uid("orders").name("orders");
            refunds.uid("refunds");
            slow.uid("slow");
            sorted.uid("sorted");
            counted.uid("counted").setMaxParallelism(64);
        }
        if (given.contains("hash")) {
            summed.setUidHash("0123456789abcdef0123456789abcdef");
        }
        if (given.contains("unchained")) {
            sorted.disableChaining();
        }
        sorted.getSideOutput(LATE).map(new Slowly()).print();
        summed.print();
        return counted;
    }

    public static class Slowly implements MapFunction<Long, Long> {
        @Override
        public Long map(Long value) throws Exception {
            Thread.sleep(10);
            return value;
        }
    }

    public static class ByThree implements KeySelector<Long, Long> {
        @Override
        public Long getKey(Long value) {
            return value % 3;
        }
    }

    public static class Summing implements ReduceFunction<Long> {
        @Override
        public Long reduce(Long one, Long other) {
            return one + other;
        }
    }

    public static class Sorting extends ProcessFunction<Long, Long> {
        @Override
        public void processElement(Long value, Context context, Collector<Long> out) {
            out.collect(value);
            if (value % 10 == 0) {
                context.output(LATE, value);
            }
        }
    }

    public static class Counting extends KeyedProcessFunction<Long, Long, Long> {
        @Override
        public void processElement(Long value, Context context, Collector<Long> out) throws Exception {
            ValueState<Long> count =
                    getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
            count.update(count.value() == null ? 1 : count.value() + 1);
            out.collect(count.value());
        }
    }
}
