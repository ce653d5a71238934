import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** Executes its arguments, which are statements; the last one is the job. */
public final class SqlChanges {
    public static void main(String[] args) {
        StreamTableEnvironment tables =
                StreamTableEnvironment.create(StreamExecutionEnvironment.getExecutionEnvironment());
        for (String statement : args) {
            tables.executeSql(statement);
        }
    }
}
