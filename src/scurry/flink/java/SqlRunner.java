package io.scurry;

import java.lang.reflect.Field;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.PlanReference;
import org.apache.flink.table.api.internal.TableEnvironmentImpl;
import org.apache.flink.table.delegation.Executor;

/**
 * Runs the SQL script of this jar: SET and DDL in order, then every INSERT together as one job. If the jar has a
 * compiled plan, that stands for the INSERTs, which are not even parsed then.
 */
public final class SqlRunner {
    static final ConfigOption<String> UIDS =
            ConfigOptions.key("table.exec.uid.generation").stringType().noDefaultValue();

    private SqlRunner() {}

    public static void main(String[] args) throws Exception {
        SqlScript script = new SqlScript(SqlScript.statements(), readSecrets(args));
        PlanNames plan = PlanNames.read();
        try {
            TableEnvironmentImpl tables = script.open(new Configuration());
            for (int i = 0; i < script.statements.size(); i++) {
                if (plan == null || !plan.inserts.contains(i)) {
                    script.accept(tables, script.parse(tables, i));
                }
            }
            if (plan == null) {
                script.refuseWithoutInsert();
                runScript(script, tables);
            } else {
                script.current = plan.inserts.iterator().next();
                runPlan(plan, tables);
            }
        } catch (Exception failure) {
            throw script.describe(failure);
        }
    }

    private static void runScript(SqlScript script, TableEnvironmentImpl tables) throws Exception {
        if (tables.getConfig().getOptional(UIDS).isEmpty()) {
            tables.getConfig().set(UIDS.key(), "ALWAYS");
            replaceExecutor(tables, executor -> StableUids.wrap(executor, script.inserts));
        }
        try {
            tables.executeInternal(script.inserts);
        } catch (Exception failure) {
            script.findGuilty(tables);
            throw failure;
        }
    }

    private static void runPlan(PlanNames plan, TableEnvironmentImpl tables) throws Exception {
        tables.getConfig().set(UIDS.key(), "ALWAYS");
        replaceExecutor(tables, executor -> StableUids.wrap(executor, plan));
        tables.loadPlan(PlanReference.fromJsonString(SqlScript.read(PlanNames.PLAN))).execute();
    }

    /** Flink has no public way to see the operators between planning and submission. */
    private static void replaceExecutor(TableEnvironmentImpl tables, UnaryOperator<Executor> by) throws Exception {
        Field executor = TableEnvironmentImpl.class.getDeclaredField("execEnv");
        executor.setAccessible(true);
        executor.set(tables, by.apply((Executor) executor.get(tables)));
    }

    private static Map<String, String> readSecrets(String[] args) {
        Map<String, String> secrets = new LinkedHashMap<>();
        for (int i = 0; i < args.length; i += 2) {
            int equals = i + 1 < args.length ? args[i + 1].indexOf('=') : -1;
            if (!args[i].equals("--secret") || equals < 1) {
                throw new IllegalArgumentException("expected --secret NAME=VALUE");
            }
            secrets.put(args[i + 1].substring(0, equals), args[i + 1].substring(equals + 1));
        }
        return secrets;
    }
}
