package io.scurry;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.client.FlinkPipelineTranslationUtil;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.core.plugin.PluginUtils;
import org.apache.flink.runtime.OperatorIDPair;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.graph.StreamEdge;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamGraphHasherV2;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.streaming.api.operators.SourceOperatorFactory;
import org.apache.flink.util.StringUtils;
import org.apache.flink.util.TernaryBoolean;

/**
 * Says what a program's job will be made of, as JSON.
 */
public final class JobGraphs {
    private final List<String> arguments = new ArrayList<>();
    private final Configuration configuration = new Configuration();
    private final Asked request;

    private JobGraphs(InputStream input) throws IOException {
        request = Asked.read(input, configuration, (name, value) -> name.equals("argument") && arguments.add(value));
    }

    public static void main(String[] args) throws Exception {
        InputStream input = System.in;
        JobGraphs graphs = new JobGraphs(input);
        System.setIn(InputStream.nullInputStream());
        graphs.request.endWithWhoAsks(input);
        Runtime.getRuntime().addShutdownHook(new Thread(graphs::tellWhoEndedThis));
        String limit = graphs.request.get("limit_ms");
        graphs.limit(Thread.currentThread(), limit == null ? 0 : Long.parseLong(limit));
        graphs.answer(graphs.described());
        graphs.request.end();
    }

    private Map<String, Object> described() {
        try {
            FileSystem.initialize(configuration, PluginUtils.createPluginManagerFromRootFolder(configuration));
            try (PackagedProgram program = PackagedPrograms.open(
                    new File(request.get("jar")), request.get("entry"), arguments, configuration)) {
                StreamGraph graph = PackagedPrograms.streamGraph(program, configuration);
                return describe(graph, program.getUserCodeClassLoader());
            }
        } catch (PackagedPrograms.NoGraph failure) {
            return failure(failure.kind, failure.getMessage());
        } catch (Throwable failure) {
            StringWriter trace = new StringWriter();
            failure.printStackTrace(new PrintWriter(trace, true));
            return failure("main", trace.toString());
        }
    }

    private Map<String, Object> describe(StreamGraph graph, ClassLoader loader) throws Exception {
        Map<Integer, byte[]> hashes = new StreamGraphHasherV2().traverseStreamGraphAndGenerateHashes(graph);
        Map<Integer, StreamNode> nodes = new TreeMap<>();
        graph.getStreamNodes().forEach(node -> nodes.put(node.getId(), node));
        // Serializers are asked for before the graph is translated, which drops what it no longer needs.
        Map<Integer, Map<String, Object>> operators = new TreeMap<>();
        for (StreamNode node : nodes.values()) {
            operators.put(node.getId(), operator(node, hashes));
        }
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("flink_version", EnvironmentInformation.getVersion());
        Configuration job = new Configuration(configuration);
        if (called(graph, "getJobConfiguration") instanceof Configuration) { // since 1.19
            job.addAll((Configuration) called(graph, "getJobConfiguration"));
        }
        result.put("state_backend", stateBackend(graph.getStateBackend(), job));
        Object changelog = called(graph, "isChangelogStateBackendEnabled"); // up to 1.20
        result.put("changelog", changelog == TernaryBoolean.TRUE
                || changelog != TernaryBoolean.FALSE && Boolean.parseBoolean(first(job, "false",
                        "state.changelog.enabled", "state.backend.changelog.enabled")));
        Map<String, JobVertex> vertices = vertices(
                FlinkPipelineTranslationUtil.getJobGraphUnderUserClassLoader(
                        loader, graph, configuration, Integer.parseInt(request.get("parallelism"))));
        for (Map<String, Object> operator : operators.values()) {
            JobVertex vertex = vertices.remove((String) operator.get("id"));
            if (vertex == null) {
                throw new IllegalStateException("no task runs " + operator);
            }
            operator.put("parallelism", vertex.getParallelism());
            operator.put("max_parallelism", vertex.getMaxParallelism() > 0 ? vertex.getMaxParallelism() : null);
            operator.put("chain", vertex.getID().toHexString());
        }
        if (!vertices.isEmpty()) {
            throw new IllegalStateException("operators of no stream node: " + vertices);
        }
        result.put("operators", operators.values());
        if (request.has("python_states")) {
            result.put("python_states", Files.readString(Path.of(request.get("python_states"))));
        }
        return result;
    }

    private static Map<String, Object> operator(StreamNode node, Map<Integer, byte[]> hashes) throws IOException {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("node", node.getId());
        found.put("id", StringUtils.byteToHexString(hashes.get(node.getId())));
        found.put("alternative_id", node.getUserHash());
        found.put("uid", node.getTransformationUID());
        found.put("name", node.getOperatorName());
        found.put("source", source(node));
        List<String> inputs = new ArrayList<>();
        for (StreamEdge edge : node.getInEdges()) {
            inputs.add(StringUtils.byteToHexString(hashes.get(edge.getSourceId())));
        }
        found.put("inputs", inputs);
        TypeSerializer<?> key = node.getStateKeySerializer();
        if (key != null) {
            found.put("key_serializer", key.getClass().getName());
            found.put("key_snapshot", snapshot(key));
        }
        return found;
    }

    /** The class of a source's connector; null of what is none. Which one wrote a source's positions, no savepoint says. */
    private static String source(StreamNode node) {
        if (!(node.getOperatorFactory() instanceof SourceOperatorFactory)) {
            return null;
        }
        try {
            Field source = SourceOperatorFactory.class.getDeclaredField("source");
            source.setAccessible(true);
            return source.get(node.getOperatorFactory()).getClass().getName();
        } catch (ReflectiveOperationException unknown) {
            return null;
        }
    }

    /** The bytes that a savepoint holds of a serializer: its snapshot's class, version and content. */
    private static String snapshot(TypeSerializer<?> serializer) throws IOException {
        DataOutputSerializer output = new DataOutputSerializer(256);
        TypeSerializerSnapshot.writeVersionedSnapshot(output, serializer.snapshotConfiguration());
        return Base64.getEncoder().encodeToString(output.getCopyOfBuffer());
    }

    /** By the id of each operator, the task that it runs in. */
    private static Map<String, JobVertex> vertices(JobGraph graph) {
        Map<String, JobVertex> found = new HashMap<>();
        for (JobVertex vertex : graph.getVertices()) {
            for (OperatorIDPair pair : vertex.getOperatorIDs()) {
                found.put(pair.getGeneratedOperatorID().toHexString(), vertex);
            }
        }
        return found;
    }

    private static String stateBackend(StateBackend set, Configuration job) {
        String name = set != null
                ? set.getClass().getName()
                : first(job, "hashmap", "state.backend.type", "state.backend");
        switch (name.substring(name.lastIndexOf('.') + 1)) {
            case "HashMapStateBackend":
            case "HashMapStateBackendFactory":
            case "MemoryStateBackend":
            case "FsStateBackend":
            case "jobmanager":
            case "filesystem":
                return "hashmap";
            case "EmbeddedRocksDBStateBackend":
            case "EmbeddedRocksDBStateBackendFactory":
            case "RocksDBStateBackend":
            case "RocksDBStateBackendFactory":
                return "rocksdb";
            case "ForStStateBackend":
            case "ForStStateBackendFactory":
                return "forst";
            default:
                return name;
        }
    }

    /** What a method returns that only some Flinks have; null from the others. */
    private static Object called(Object object, String method) throws ReflectiveOperationException {
        try {
            return object.getClass().getMethod(method).invoke(object);
        } catch (NoSuchMethodException absent) {
            return null;
        }
    }

    private static String first(Configuration from, String otherwise, String... keys) {
        Map<String, String> values = from.toMap();
        for (String key : keys) {
            if (values.containsKey(key)) {
                return values.get(key);
            }
        }
        return otherwise;
    }

    // What goes out

    /** Tells where main() is when the time is up. */
    private void limit(Thread main, long milliseconds) {
        Thread limit = new Thread(() -> {
            try {
                Thread.sleep(milliseconds);
                StringBuilder trace = new StringBuilder();
                for (StackTraceElement frame : main.getStackTrace()) {
                    trace.append("\tat ").append(frame).append('\n');
                }
                answer(failure("time", trace.toString()));
            } catch (InterruptedException | IOException lost) {
                // whoever waits for the answer has a clock, too
            }
        }, "scurry-limit");
        limit.setDaemon(true);
        if (milliseconds > 0) {
            limit.start();
        }
    }

    private void tellWhoEndedThis() {
        if (request.isAnswered()) {
            return;
        }
        StringBuilder trace = new StringBuilder();
        for (Map.Entry<Thread, StackTraceElement[]> thread : Thread.getAllStackTraces().entrySet()) {
            boolean ended = false;
            for (StackTraceElement frame : thread.getValue()) {
                ended |= frame.getClassName().equals("java.lang.Shutdown");
                if (ended) {
                    trace.append("\tat ").append(frame).append('\n');
                }
            }
        }
        try {
            answer(failure("exit", trace.toString()));
        } catch (IOException lost) {
            // the exit code tells enough
        }
    }

    private static Map<String, Object> failure(String kind, String trace) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("failure", kind);
        result.put("trace", trace);
        return result;
    }

    private void answer(Map<String, Object> content) throws IOException {
        request.answer(GraphText.json(content));
    }
}
