import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;

/**
 * Numbers, one each millisecond; writes the time at which each record is processed to a file: the first argument, or
 * where programs get none what the jar's own file "output" says.
 */
public final class Ticks {
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(0, Long.MAX_VALUE).uid("numbers")
                .map(new Tick(args.length > 0 ? args[0] : output())).uid("tick")
                .sinkTo(new DiscardingSink<>()).uid("sink");
        env.execute("ticks");
    }

    private static String output() throws Exception {
        try (InputStream told = Ticks.class.getResourceAsStream("/output")) {
            return new String(told.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static final class Tick extends RichMapFunction<Long, Long> {
        private final String file;
        private transient OutputStream out;

        private Tick(String file) {
            this.file = file;
        }

        @Override
        public void open(OpenContext context) throws Exception {
            out = Files.newOutputStream(Paths.get(file), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }

        @Override
        public Long map(Long number) throws Exception {
            Thread.sleep(1);
            out.write((number + " " + System.currentTimeMillis() + "\n").getBytes(StandardCharsets.UTF_8));
            return number;
        }

        @Override
        public void close() throws Exception {
            if (out != null) {
                out.close();
            }
        }
    }
}
