package io.scurry;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.dag.Transformation;
import org.apache.flink.table.catalog.ObjectIdentifier;
import org.apache.flink.table.delegation.Executor;
import org.apache.flink.table.operations.CreateTableASOperation;
import org.apache.flink.table.operations.ModifyOperation;
import org.apache.flink.table.operations.SinkModifyOperation;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;

/**
 * Names the operators of an SQL job by what they are, not by where they stand.
 *
 * <p>Flink's planner numbers them from a counter that goes on for as long as the JobManager lives (1_source, 2_calc;
 * the same script submitted again: 3_source, 4_calc), and without the planner's uids their identity is a hash of the
 * whole topology. Neither finds its state again after a change of the query. Here a source is called after its table,
 * a sink after its table, and any other operator after the sink that it works for, its kind and, as far as it may hold
 * state, what it computes: a COUNT never restores what was a SUM's, it is refused by Flink as missing instead.
 */
final class StableUids {
    private static final Pattern PLANNER_UID = Pattern.compile("(\\d+)_(.*)");
    private static final Pattern SCAN =
            Pattern.compile("TableSourceScan\\(table=\\[\\[([^,\\]]+), ([^,\\]]+), ([^,\\]]+)[,\\]]");
    private static final Set<String> STATELESS = Set.of("calc", "exchange", "watermark-assigner", "drop-update-before");

    private final Map<Transformation<?>, String> sinkOf = new LinkedHashMap<>();
    private final Map<String, String> tableOfNode = new HashMap<>();
    private final Map<String, Set<String>> scansOfTable = new HashMap<>();
    private final Map<String, String> firstSinkOfNode = new HashMap<>();
    private final Set<String> taken = new HashSet<>();

    private StableUids() {}

    /** Returns the executor, with the operators of these INSERTs named before it makes a job of them. */
    static Executor wrap(Executor executor, List<ModifyOperation> inserts) {
        return wrap(executor, roots -> new StableUids().assign(roots, sinkNames(inserts), Map.of()));
    }

    /** The same for the operators of a plan, which are called as was recorded with it. */
    static Executor wrap(Executor executor, PlanNames plan) {
        return wrap(executor, roots -> nameAll(roots, plan.sinks, plan.uids));
    }

    /** Names the operators of a plan, those that have a name in {@code known} by it. Returns the names by the planner's. */
    static Map<String, String> nameAll(
            List<Transformation<?>> ofPlan, Map<String, String> sinks, Map<String, String> known) {
        // Read back, a plan has its roots in the order of a hash map; its nodes are numbered in the order of the script.
        List<Transformation<?>> roots = new ArrayList<>(ofPlan);
        roots.sort(Comparator.comparingInt(root -> Integer.parseInt(sinkNode(root, sinks))));
        List<String> names = new ArrayList<>();
        roots.forEach(root -> names.add(sinks.get(sinkNode(root, sinks))));
        return new StableUids().assign(roots, names, known);
    }

    /** The node of the plan that a root was made of: what a connector made has no number of the planner's. */
    private static String sinkNode(Transformation<?> root, Map<String, String> sinks) {
        Deque<Transformation<?>> next = new ArrayDeque<>(List.of(root));
        while (!next.isEmpty()) {
            Transformation<?> transformation = next.remove();
            if (sinks.containsKey(node(transformation))) {
                return node(transformation);
            }
            next.addAll(transformation.getInputs());
        }
        throw new IllegalStateException("an operator writes a table that is not in the plan: " + root.getName());
    }

    @SuppressWarnings("unchecked")
    private static Executor wrap(Executor executor, Consumer<List<Transformation<?>>> naming) {
        return (Executor) Proxy.newProxyInstance(
                StableUids.class.getClassLoader(), new Class<?>[] {Executor.class}, (proxy, method, args) -> {
                    if (method.getName().equals("createPipeline")) {
                        naming.accept((List<Transformation<?>>) args[0]);
                    }
                    try {
                        return method.invoke(executor, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static List<String> sinkNames(List<ModifyOperation> inserts) {
        List<String> names = new ArrayList<>();
        for (ModifyOperation insert : inserts) {
            ObjectIdentifier table = null;
            if (insert instanceof SinkModifyOperation) {
                table = ((SinkModifyOperation) insert).getContextResolvedTable().getIdentifier();
            } else if (insert instanceof CreateTableASOperation) {
                table = ((CreateTableASOperation) insert).getCreateTableOperation().getTableIdentifier();
            }
            names.add(table == null ? "sink"
                    : shortName(table.getCatalogName(), table.getDatabaseName(), table.getObjectName()));
        }
        return names;
    }

    private Map<String, String> assign(
            List<Transformation<?>> roots, List<String> tables, Map<String, String> known) {
        List<String> sinks = tables.size() == roots.size() ? tables : new ArrayList<>(new LinkedHashSet<>(tables));
        for (int i = 0; i < roots.size(); i++) {
            // Newer planners merge INSERTs into one table; should they merge more, the place among the sinks has to do.
            String sink = sinks.size() == roots.size() ? sinks.get(i) : "sink-" + (i + 1);
            visit(roots.get(i), sink);
            tableOfNode.putIfAbsent(node(roots.get(i)), sink + ":sink");
        }
        Map<Transformation<?>, String> names = new LinkedHashMap<>();
        Map<String, Integer> bearers = new HashMap<>();
        sinkOf.forEach((transformation, sink) -> {
            String name = name(transformation, sink);
            names.put(transformation, name);
            bearers.merge(name, 1, Integer::sum);
        });
        // Of several that compute the same for one sink, each must be told from the others: by all that feeds it. Else
        // an INSERT put before another would hand its state over.
        names.replaceAll((transformation, name) -> bearers.get(name) > 1 && mayHoldState(transformation)
                ? name + ":" + digest(lineage(transformation)) : name);
        taken.addAll(known.values());
        Map<String, String> assigned = new LinkedHashMap<>();
        names.forEach((transformation, name) -> {
            String planned = String.valueOf(transformation.getUid());
            String uid = known.containsKey(planned) ? known.get(planned) : unique(name);
            if (PLANNER_UID.matcher(planned).matches()) {
                assigned.put(planned, uid);
            }
            transformation.setUid(uid);
        });
        return assigned;
    }

    private void visit(Transformation<?> transformation, String sink) {
        if (sinkOf.putIfAbsent(transformation, sink) != null) {
            return;
        }
        Matcher scan = SCAN.matcher(description(transformation));
        if (scan.find()) {
            String table = shortName(scan.group(1), scan.group(2), scan.group(3));
            String node = node(transformation);
            tableOfNode.put(node, table + ":source");
            scansOfTable.computeIfAbsent(table + ":source", key -> new HashSet<>()).add(node);
            firstSinkOfNode.put(node, sink);
        }
        transformation.getInputs().forEach(input -> visit(input, sink));
    }

    private String name(Transformation<?> transformation, String sink) {
        Matcher planned = PLANNER_UID.matcher(String.valueOf(transformation.getUid()));
        if (!planned.matches()) {
            // Made by a connector, which may have chosen a uid itself.
            return transformation.getUid() != null ? transformation.getUid()
                    : sink + ":" + transformation.getName().replaceAll("\\[\\d+]", "");
        }
        String kind = planned.group(2);
        String table = tableOfNode.get(planned.group(1));
        if (table != null) {
            boolean ambiguous = scansOfTable.getOrDefault(table, Set.of()).size() > 1;
            return table + (kind.equals("source") || kind.equals("sink") ? "" : ":" + kind)
                    + (ambiguous ? ":for:" + firstSinkOfNode.get(planned.group(1)) : "");
        }
        return sink + ":" + kind + (mayHoldState(transformation) ? ":" + digest(computation(transformation)) : "");
    }

    private boolean mayHoldState(Transformation<?> transformation) {
        Matcher planned = PLANNER_UID.matcher(String.valueOf(transformation.getUid()));
        return planned.matches() && !STATELESS.contains(planned.group(2)) && !tableOfNode.containsKey(planned.group(1));
    }

    /** What an operator computes, over rows of which types, out of which tables. */
    private String computation(Transformation<?> transformation) {
        StringBuilder text = new StringBuilder(description(transformation));
        for (Transformation<?> input : transformation.getInputs()) {
            text.append('\n').append(types(input));
        }
        return text.append('\n').append(sources(transformation, new TreeSet<>())).toString();
    }

    private Set<String> sources(Transformation<?> transformation, Set<String> found) {
        String table = tableOfNode.get(node(transformation));
        if (table != null && table.endsWith(":source")) {
            found.add(table);
        } else {
            transformation.getInputs().forEach(input -> sources(input, found));
        }
        return found;
    }

    private static String lineage(Transformation<?> transformation) {
        StringBuilder text = new StringBuilder(description(transformation)).append('(');
        transformation.getInputs().forEach(input -> text.append(lineage(input)));
        return text.append(')').toString();
    }

    private static String types(Transformation<?> transformation) {
        TypeInformation<?> type = transformation.getOutputType();
        return type instanceof InternalTypeInfo
                ? ((InternalTypeInfo<?>) type).toLogicalType().asSummaryString().replaceAll("`[^`]*` ", "")
                : type.getClass().getName();
    }

    private String unique(String name) {
        String result = name;
        for (int i = 2; !taken.add(result); i++) {
            result = name + ":" + i;
        }
        return result;
    }

    private static String node(Transformation<?> transformation) {
        Matcher planned = PLANNER_UID.matcher(String.valueOf(transformation.getUid()));
        return planned.matches() ? planned.group(1) : "of " + transformation.getId();
    }

    private static String description(Transformation<?> transformation) {
        return transformation.getDescription() == null ? transformation.getName() : transformation.getDescription();
    }

    /** Without the planner's numbering, the names that results get, and what differs between versions of Flink. */
    private static String digest(String description) {
        String text = description
                .replaceAll("\\[\\d+]:?", "")
                .replaceAll(" AS [^,\\])( ]+(?=[,\\]])", "")
                .replaceAll(", outputInsertOnly=\\[\\w+]", "")
                .replace("[ RANG BETWEEN", "[ RANGE BETWEEN");
        return String.format("%08x", text.hashCode());
    }

    static String shortName(String catalog, String database, String table) {
        return (catalog + "." + database + "." + table).replaceFirst("^default_catalog\\.default_database\\.", "");
    }
}
