import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;

/** Asks Flink's own BashJavaUtils, once for each line of standard input: arguments, parted by tabs. */
public final class MemoryOf {
    public static void main(String[] args) throws Exception {
        Method asked = Class.forName("org.apache.flink.runtime.util.bash.BashJavaUtils").getMethod("main", String[].class);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println("QUESTION");
            try {
                asked.invoke(null, (Object) line.split("\t"));
            } catch (InvocationTargetException refused) {
                System.out.println("REFUSED " + refused.getCause());
            }
        }
    }
}
