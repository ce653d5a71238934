package io.scurry;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;

/**
 * The Python functions of the graph that was taken from a PyFlink program, for the Python process that made them
 * (job_graph_pyflink.py). PyFlink's classes are only known to the program's class loader, hence the reflection.
 */
public final class PythonFunctions {
    private static volatile StreamGraph graph;

    private PythonFunctions() {}

    static void of(StreamGraph taken) {
        graph = taken;
    }

    /** Of each Python function: its operator's node, its type (a number of PyFlink's), itself pickled, and whether it runs
     * in Flink's own process. */
    public static List<Object[]> all() throws ReflectiveOperationException {
        List<Object[]> found = new ArrayList<>();
        if (graph == null) {
            return found;
        }
        for (StreamNode node : graph.getStreamNodes()) {
            if (node.getOperatorFactory() instanceof SimpleOperatorFactory) {
                Object operator = ((SimpleOperatorFactory<?>) node.getOperatorFactory()).getOperator();
                boolean embedded = operator.getClass().getSimpleName().startsWith("Embedded");
                add(node.getId(), embedded, called(operator, "getPythonFunctionInfo"), found);
            }
        }
        return found;
    }

    public static Map<String, String> jobParameters() {
        ExecutionConfig.GlobalJobParameters given =
                graph == null ? null : graph.getExecutionConfig().getGlobalJobParameters();
        return given == null ? Map.of() : given.toMap();
    }

    /** What runs chained in front of a function is its input. */
    private static void add(int node, boolean embedded, Object info, List<Object[]> found) throws ReflectiveOperationException {
        if (info == null) {
            return;
        }
        Object[] inputs = (Object[]) called(info, "getInputs");
        for (Object input : inputs == null ? new Object[0] : inputs) {
            add(node, embedded, input, found);
        }
        Object type = called(info, "getFunctionType");
        Object function = called(info, "getPythonFunction");
        if (type != null && function != null) {
            found.add(new Object[] {node, type, called(function, "getSerializedPythonFunction"), embedded});
        }
    }

    private static Object called(Object object, String name) throws ReflectiveOperationException {
        for (Class<?> type = object.getClass(); type != null; type = type.getSuperclass()) {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name) && method.getParameterCount() == 0) {
                    method.setAccessible(true);
                    return method.invoke(object);
                }
            }
        }
        return null;
    }
}
