package io.scurry;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.api.dag.Transformation;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.api.PlanReference;
import org.apache.flink.table.api.internal.TableEnvironmentImpl;
import org.apache.flink.table.catalog.CatalogBaseTable;
import org.apache.flink.table.catalog.ContextResolvedTable;
import org.apache.flink.table.catalog.ObjectIdentifier;
import org.apache.flink.table.operations.Operation;

/**
 * Compiles an SQL script to a plan, without a cluster and without secrets, whose references stay; or finds out whether
 * this Flink still takes a plan that was compiled before. The request comes on standard input as pairs of name and
 * value: statement, jar, option:…, and perhaps plan and names. The answer is JSON, in the file that the request names.
 */
public final class SqlCompiler {
    private static final Pattern IDENTIFIER = Pattern.compile("`((?:[^`]|``)*)`\\.`((?:[^`]|``)*)`\\.`((?:[^`]|``)*)`");
    private static final ObjectMapper JSON =
            new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);
    private static final ConfigOption<String> TTL =
            ConfigOptions.key("table.exec.state.ttl").stringType().noDefaultValue();

    private final List<String> statements = new ArrayList<>();
    private final List<URL> jars = new ArrayList<>();
    private final Configuration options = new Configuration();
    private final Map<String, Object> answer = new LinkedHashMap<>();

    private final Asked request;

    private SqlCompiler() throws IOException {
        request = Asked.read(System.in, options, this::take);
    }

    public static void main(String[] args) throws Exception {
        SqlCompiler compiler = new SqlCompiler();
        compiler.run();
        compiler.request.answer(JSON.writeValueAsString(compiler.answer));
        compiler.request.end();
    }

    private boolean take(String name, String value) throws IOException {
        if (name.equals("statement")) {
            return statements.add(value);
        }
        return name.equals("jar") && jars.add(Path.of(value).toUri().toURL());
    }

    private void run() {
        SqlScript script = new SqlScript(statements, null);
        // In front of Flink's own classes nothing of theirs is taken, as in a cluster's parent-first part.
        Thread.currentThread().setContextClassLoader(
                new URLClassLoader(jars.toArray(new URL[0]), SqlCompiler.class.getClassLoader()));
        try {
            if (request.has("plan")) {
                tryOut(script, PlanNames.parse(request.get("names")));
            } else {
                compile(script);
            }
        } catch (SqlLimits.Unfit unfit) {
            answer.put("refusal", "cannot");
            answer.put("text", unfit.getMessage());
        } catch (Throwable failure) {
            // Errors, too: a class that is missing here may be there where the job will run.
            answer.put("refusal", SqlLimits.isForWantOfSomething(failure) ? "missing" : "script");
            answer.put("text", script.describe(failure).getMessage());
        }
    }

    private void compile(SqlScript script) throws Exception {
        TableEnvironmentImpl tables = script.open(options);
        PlanNames names = new PlanNames();
        for (int i = 0; i < script.statements.size(); i++) {
            int before = script.inserts.size();
            Operation operation = script.parse(tables, i);
            SqlLimits.check(statements.get(i), operation);
            script.accept(tables, operation);
            if (script.inserts.size() > before) {
                names.inserts.add(i);
            }
        }
        script.refuseWithoutInsert();
        SqlLimits.check(tables);
        String json;
        try {
            tables.getConfig().set("table.plan.compile.catalog-objects", "IDENTIFIER");
            tables.getConfig().set(SqlRunner.UIDS.key(), "ALWAYS");
            json = tables.compilePlan(script.inserts).asJsonString();
        } catch (Exception failure) {
            script.findGuilty(tables);
            throw failure;
        }
        JsonNode plan = JSON.readTree(json);
        if (tables.getConfig().getOptional(TTL).isEmpty()) {
            leaveTimeToLiveToTheCluster(plan);
        }
        json = JSON.writeValueAsString(plan);
        SqlLimits.check(json);
        names.sinks.putAll(sinks(plan));
        names.uids.putAll(StableUids.nameAll(translate(tables, json), names.sinks, Map.of()));
        answer.put("graph", json);
        answer.put("inserts", names.inserts);
        answer.put("sinks", names.sinks);
        answer.put("uids", names.uids);
        answer.put("tables", describe(tables, plan));
    }

    /** Whether this Flink still reads and translates a plan, with the tables that the script defines now. */
    private void tryOut(SqlScript script, PlanNames old) throws Exception {
        TableEnvironmentImpl tables = script.open(options);
        for (int i = 0; i < script.statements.size(); i++) {
            if (!old.inserts.contains(i)) {
                script.accept(tables, script.parse(tables, i));
            }
        }
        tables.getConfig().set(SqlRunner.UIDS.key(), "ALWAYS");
        Map<String, String> found =
                StableUids.nameAll(translate(tables, request.get("plan")), old.sinks, old.uids);
        if (!found.keySet().equals(old.uids.keySet())) {
            throw new SqlLimits.Unfit("it has other operators there: " + found.keySet() + " for " + old.uids.keySet());
        }
        answer.put("fits", true);
    }

    private static List<Transformation<?>> translate(TableEnvironmentImpl tables, String json) throws Exception {
        return tables.getPlanner().translatePlan(tables.getPlanner().loadPlan(PlanReference.fromJsonString(json)));
    }

    /** A plan would fix that state is kept forever, also where the cluster's own configuration has a time for it. */
    private static void leaveTimeToLiveToTheCluster(JsonNode plan) {
        for (JsonNode node : plan.get("nodes")) {
            boolean chosen = false;
            for (JsonNode state : node.path("state")) {
                chosen |= !state.path("ttl").asText().equals("0 ms");
            }
            if (!chosen) {
                ((ObjectNode) node).remove("state");
            }
        }
    }

    /** Node to table, of each node that writes one. */
    private static Map<String, String> sinks(JsonNode plan) {
        Map<String, String> found = new LinkedHashMap<>();
        for (JsonNode node : plan.get("nodes")) {
            JsonNode identifier = node.at("/dynamicTableSink/table/identifier");
            if (!identifier.isMissingNode()) {
                ObjectIdentifier table = identifier(identifier.asText());
                found.put(node.get("id").asText(),
                        StableUids.shortName(table.getCatalogName(), table.getDatabaseName(), table.getObjectName()));
            }
        }
        return found;
    }

    /** Of each table in the plan a digest of its columns and options, which hold secrets only as references. */
    private static Map<String, String> describe(TableEnvironmentImpl tables, JsonNode plan) throws Exception {
        Set<String> identifiers = new LinkedHashSet<>(plan.findValuesAsText("identifier"));
        Map<String, String> found = new LinkedHashMap<>();
        for (String identifier : identifiers) {
            Optional<ContextResolvedTable> table = IDENTIFIER.matcher(identifier).matches()
                    ? tables.getCatalogManager().getTable(identifier(identifier)) : Optional.empty();
            if (table.isPresent()) {
                CatalogBaseTable definition = table.get().getTable();
                String told = definition.getUnresolvedSchema() + "\n" + new TreeMap<>(definition.getOptions());
                byte[] digest = MessageDigest.getInstance("SHA-256").digest(told.getBytes(StandardCharsets.UTF_8));
                StringBuilder text = new StringBuilder();
                for (int i = 0; i < 8; i++) {
                    text.append(String.format("%02x", digest[i]));
                }
                found.put(identifier, text.toString());
            }
        }
        return found;
    }

    private static ObjectIdentifier identifier(String text) {
        Matcher parts = IDENTIFIER.matcher(text);
        if (!parts.matches()) {
            throw new SqlLimits.Unfit("it names the table " + text);
        }
        List<String> names = new ArrayList<>();
        for (int i = 1; i <= 3; i++) {
            names.add(parts.group(i).replace("``", "`"));
        }
        return ObjectIdentifier.of(names.get(0), names.get(1), names.get(2));
    }
}
