package io.scurry;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.api.internal.TableEnvironmentImpl;
import org.apache.flink.table.operations.BeginStatementSetOperation;
import org.apache.flink.table.operations.EndStatementSetOperation;
import org.apache.flink.table.operations.LoadModuleOperation;
import org.apache.flink.table.operations.ModifyOperation;
import org.apache.flink.table.operations.Operation;
import org.apache.flink.table.operations.StatementSetOperation;
import org.apache.flink.table.operations.UnloadModuleOperation;
import org.apache.flink.table.operations.UseOperation;
import org.apache.flink.table.operations.command.AddJarOperation;
import org.apache.flink.table.operations.command.SetOperation;
import org.apache.flink.table.operations.ddl.AlterOperation;
import org.apache.flink.table.operations.ddl.CreateOperation;
import org.apache.flink.table.operations.ddl.DropOperation;

/**
 * The SQL statements of this jar's resources, and what they do: SET and DDL in order, every INSERT collected.
 * A failure's message starts with the statement (from 0), line and column (from 1) that it is about.
 */
final class SqlScript {
    private static final String FOLDER = "/scurry/statements/";
    private static final Pattern SECRET = Pattern.compile("\\$\\{secret:([^}]*)}");
    private static final Pattern RUNTIME_MODE = Pattern.compile(
            "\\s*(?:--[^\\n]*\\n\\s*|/\\*.*?\\*/\\s*)*SET\\s+'?execution\\.runtime-mode'?\\s*=\\s*'?(\\w+)'?[\\s;]*",
            Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
    /** Calcite's "at line 1, column 10." and "From line 1, column 8 to line 1, column 10: …". */
    private static final Pattern POSITION = Pattern.compile("\\b(?:[Aa]t|[Ff]rom) line (\\d+), column (\\d+)");

    final List<String> statements;
    final List<ModifyOperation> inserts = new ArrayList<>();
    /** The statement, counted from 0, that each of the inserts is from. */
    final List<Integer> insertedBy = new ArrayList<>();
    /** The statement, counted from 0, that a failure would be about. */
    int current;

    private final Map<String, String> secrets;

    /** Without secrets (null) the references to them stay in the statements as they are. */
    SqlScript(List<String> statements, Map<String, String> secrets) {
        this.statements = statements;
        this.secrets = secrets;
    }

    /** The statements in this jar. */
    static List<String> statements() throws IOException {
        List<String> statements = new ArrayList<>();
        for (String name : read(FOLDER + "index").split("\n")) {
            if (!name.isEmpty()) {
                statements.add(read(FOLDER + name));
            }
        }
        return statements;
    }

    /** A new environment, in the mode that the script sets: Flink refuses to change it later. */
    TableEnvironmentImpl open(Configuration configuration) {
        for (String statement : statements) {
            Matcher mode = RUNTIME_MODE.matcher(statement);
            if (mode.matches()) {
                configuration.setString("execution.runtime-mode", mode.group(1).toUpperCase());
            }
        }
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
        return (TableEnvironmentImpl) StreamTableEnvironment.create(
                environment,
                EnvironmentSettings.newInstance()
                        .withConfiguration((Configuration) environment.getConfiguration())
                        .build());
    }

    Operation parse(TableEnvironmentImpl tables, int statement) {
        current = statement;
        return tables.getParser().parse(substitute(statements.get(statement))).get(0);
    }

    void accept(TableEnvironmentImpl tables, Operation operation) {
        if (operation instanceof SetOperation) {
            set(tables, (SetOperation) operation);
        } else if (operation instanceof StatementSetOperation) {
            ((StatementSetOperation) operation).getOperations().forEach(this::collect);
        } else if (operation instanceof ModifyOperation) {
            collect((ModifyOperation) operation);
        } else if (operation instanceof CreateOperation
                || operation instanceof DropOperation
                || operation instanceof AlterOperation
                || operation instanceof UseOperation
                || operation instanceof LoadModuleOperation
                || operation instanceof UnloadModuleOperation) {
            tables.executeInternal(operation);
        } else if (operation instanceof AddJarOperation) {
            throw new IllegalArgumentException("ADD JAR is not allowed; list the jar under `connectors` instead");
        } else if (!(operation instanceof BeginStatementSetOperation || operation instanceof EndStatementSetOperation)) {
            String statement = statements.get(current);
            String verb = statement.replaceAll("(?s)/\\*.*?\\*/|--[^\\n]*", " ").trim().split("[\\s(]", 2)[0].toUpperCase();
            throw new IllegalArgumentException(
                    verb + " has no place in an application, its result would go nowhere; an application sets options,"
                            + " creates tables, views and functions, and inserts into tables");
        }
    }

    private void collect(ModifyOperation insert) {
        inserts.add(insert);
        insertedBy.add(current);
    }

    private static void set(TableEnvironmentImpl tables, SetOperation operation) {
        if (operation.getKey().isEmpty() || operation.getValue().isEmpty()) {
            throw new IllegalArgumentException("SET needs a key and a value: SET 'key' = 'value'");
        }
        tables.getConfig().set(operation.getKey().get(), operation.getValue().get());
    }

    void refuseWithoutInsert() {
        if (inserts.isEmpty()) {
            current = Math.max(0, statements.size() - 1);
            throw new IllegalArgumentException("the script has no INSERT INTO, so there is no job to run");
        }
    }

    /** Plans each INSERT on its own, as the failure of all together does not say which of them it is about. */
    void findGuilty(TableEnvironmentImpl tables) {
        current = insertedBy.get(0);
        for (int i = 0; i < inserts.size(); i++) {
            try {
                tables.getPlanner().translate(List.of(inserts.get(i)));
            } catch (Exception guilty) {
                current = insertedBy.get(i);
                return;
            }
        }
    }

    private String substitute(String statement) {
        if (secrets == null) {
            return statement;
        }
        Matcher matcher = SECRET.matcher(statement);
        StringBuffer result = new StringBuffer();
        while (matcher.find()) {
            String value = secrets.get(matcher.group(1));
            if (value == null) {
                throw new IllegalArgumentException("no value was given for the secret '" + matcher.group(1) + "'");
            }
            matcher.appendReplacement(result, Matcher.quoteReplacement(value.replace("'", "''")));
        }
        return matcher.appendTail(result).toString();
    }

    /** The causes' messages without their objects: a cause could carry a secret in its message. */
    RuntimeException describe(Throwable failure) {
        StringBuilder text = new StringBuilder();
        Throwable root = failure;
        for (Throwable cause = failure; cause != null; root = cause, cause = cause.getCause()) {
            String message = cause.getMessage() == null ? cause.getClass().getName() : cause.getMessage();
            if (text.indexOf(message) < 0) {
                text.append(text.length() == 0 ? "" : "\nscurry-sql-error cause\n").append(message);
            }
        }
        Matcher position = POSITION.matcher(text);
        String place = "";
        if (position.find()) {
            int line = Integer.parseInt(position.group(1));
            place = " line=" + line + " column=" + columnInSource(line, Integer.parseInt(position.group(2)));
        }
        RuntimeException result = new RuntimeException(
                "scurry-sql-error statement=" + current + place + "\n" + hide(text.toString()) + "\nscurry-sql-error end");
        result.setStackTrace(root.getStackTrace());
        return result;
    }

    private String hide(String text) {
        String hidden = text;
        for (Map.Entry<String, String> secret : (secrets == null ? Map.<String, String>of() : secrets).entrySet()) {
            if (!secret.getValue().isEmpty()) {
                hidden = hidden.replace(secret.getValue(), "${secret:" + secret.getKey() + "}");
            }
        }
        return hidden;
    }

    /** A secret is longer or shorter than the reference to it, which moves what comes after it on the line. */
    private int columnInSource(int line, int column) {
        String[] lines = statements.isEmpty() ? new String[0] : statements.get(current).split("\n", -1);
        if (secrets == null || line > lines.length) {
            return column;
        }
        Matcher matcher = SECRET.matcher(lines[line - 1]);
        int shift = 0;
        while (matcher.find()) {
            int length = secrets.getOrDefault(matcher.group(1), "").replace("'", "''").length();
            if (matcher.start() + shift + length >= column) {
                return Math.min(column - shift, matcher.start() + 1);
            }
            shift += length - (matcher.end() - matcher.start());
        }
        return column - shift;
    }

    static String read(String resource) throws IOException {
        try (InputStream stream = SqlScript.class.getResourceAsStream(resource)) {
            if (stream == null) {
                throw new IOException("the jar lacks " + resource);
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
