package io.scurry;

import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.ExecutionOptions;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.api.internal.TableEnvironmentImpl;
import org.apache.flink.table.operations.Operation;
import org.apache.flink.table.operations.ddl.CreateCatalogOperation;

/** Which scripts run, but are not to be compiled: a plan of theirs would fix what has to stay open. */
final class SqlLimits {
    private static final String SECRET = "${secret:";
    private static final Pattern HINT = Pattern.compile("/\\*\\+[^*]*\\bOPTIONS\\s*\\(", Pattern.CASE_INSENSITIVE);
    private static final Pattern JAR = Pattern.compile("\\bUSING\\s+(JAR|FILE|ARCHIVE)\\b", Pattern.CASE_INSENSITIVE);
    private static final Pattern WITH = Pattern.compile("\\bWITH\\s*\\(", Pattern.CASE_INSENSITIVE);
    private static final Pattern NOT_THERE = Pattern.compile(
            "Could not find any (format )?factory|Cannot discover a connector|Could not find a file system implementation"
                    + "|Hadoop is not in the classpath|PythonEnvUtils|PythonFunction");

    private SqlLimits() {}

    /** The script may be right, but is not to have a plan. */
    static final class Unfit extends RuntimeException {
        Unfit(String message) {
            super(message);
        }
    }

    static void check(String statement, Operation operation) {
        String kind = operation.getClass().getSimpleName();
        if (operation instanceof CreateCatalogOperation) {
            String type = ((CreateCatalogOperation) operation).getProperties().get("type");
            if (!"generic_in_memory".equals(type)) {
                throw new Unfit("it makes a catalog of type '" + type + "', which would be connected to");
            }
        }
        if (kind.contains("CreateTableAS") || kind.contains("ReplaceTableAS")) {
            throw new Unfit("Flink compiles no CREATE TABLE … AS");
        }
        if (HINT.matcher(statement).find()) {
            throw new Unfit("a plan would lose the OPTIONS hint in it");
        }
        if (kind.contains("Function") && JAR.matcher(statement).find()) {
            throw new Unfit("it fetches the code of a function while it is planned");
        }
        int secret = statement.indexOf(SECRET);
        if (secret >= 0 && !kind.equals("SetOperation")) {
            Matcher options = WITH.matcher(statement);
            if (!kind.contains("Table") || kind.contains("View") || !options.find() || options.start() > secret) {
                throw new Unfit("a secret stands elsewhere than in the options of a table");
            }
        }
    }

    static void check(TableEnvironmentImpl tables) {
        if (tables.getConfig().getOptional(SqlRunner.UIDS).isPresent()) {
            throw new Unfit("it sets " + SqlRunner.UIDS.key() + " itself");
        }
        String mode = tables.getConfig().get(ExecutionOptions.RUNTIME_MODE).name().toLowerCase();
        if (!mode.equals("streaming")) {
            throw new Unfit("its mode is " + mode);
        }
    }

    static void check(String plan) {
        if (plan.contains("\"PartitionPushDown\"")) {
            throw new Unfit("a plan would fix which partitions of a table are read");
        }
        if (plan.contains(SECRET)) {
            throw new Unfit("a secret would be in the plan");
        }
    }

    /** Whether the same script may well run where it finds more: classes, files, a network, the values of secrets. */
    static boolean isForWantOfSomething(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage());
            if (cause instanceof ClassNotFoundException || cause instanceof LinkageError || cause instanceof IOException
                    || cause instanceof OutOfMemoryError || NOT_THERE.matcher(message).find()
                    || message.contains(SECRET)) {
                return true;
            }
            if (cause instanceof TableException && message.contains("not supported yet")) {
                return true;
            }
        }
        return false;
    }
}
