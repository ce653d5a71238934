import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/** What Flink's function `savepoint_metadata` says of the savepoint at a path, a row on each line. Argument: the path. */
public final class SavepointMetadata {
    public static void main(String[] arguments) throws Exception {
        TableEnvironment tables = TableEnvironment.create(
                EnvironmentSettings.newInstance().inBatchMode().withConfiguration(new Configuration()).build());
        tables.executeSql("LOAD MODULE state");
        try (CloseableIterator<Row> rows =
                tables.executeSql("SELECT * FROM savepoint_metadata('" + arguments[0] + "')").collect()) {
            rows.forEachRemaining(System.out::println);
        }
        System.out.flush();
        Runtime.getRuntime().halt(0); // without the seconds in which its cluster of one process is wound up
    }
}
