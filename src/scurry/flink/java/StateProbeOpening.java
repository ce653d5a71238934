package io.scurry;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.client.FlinkPipelineTranslationUtil;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.runtime.operators.coordination.OperatorEventDispatcher;
import org.apache.flink.runtime.operators.coordination.OperatorEventGateway;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.streaming.api.graph.StreamConfig;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.api.operators.SourceOperator;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperatorFactoryUtil;
import org.apache.flink.streaming.api.operators.StreamOperatorStateContext;
import org.apache.flink.streaming.api.operators.StreamTaskStateInitializer;
import org.apache.flink.streaming.api.operators.StreamTaskStateInitializerImpl;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/** Opens every operator of a job, each in a thread of its own with a time limit, and gathers what it registers. */
final class StateProbeOpening {
    private final StateProbe question;
    private final JobGraph graph;
    private final ClassLoader userClasses;
    private final List<Map<String, Object>> operators = new ArrayList<>();
    private final List<Map<String, Object>> resolutions = new ArrayList<>();
    private final long deadline;
    private final StateProbeTask.Surroundings surroundings;

    /** All of it uses the one class loader that the program was run with: a class that is loaded twice is two. */
    StateProbeOpening(StateProbe question, StreamGraph graph, ClassLoader userClasses, Map<String, Object> found)
            throws Exception {
        this.question = question;
        this.userClasses = userClasses;
        found.put("operators", operators);
        found.put("resolutions", resolutions);
        ExecutionConfig executionConfig = graph.getExecutionConfig();
        this.graph = FlinkPipelineTranslationUtil.getJobGraphUnderUserClassLoader(
                userClasses, graph, question.configuration, Integer.parseInt(question.question.get("parallelism")));
        this.surroundings = new StateProbeTask.Surroundings(executionConfig, this.graph.getJobConfiguration(),
                userClasses, Files.createTempDirectory("state-probe").toFile());
        this.deadline = System.currentTimeMillis() + milliseconds("open_ms");
    }

    void openAll() throws InterruptedException {
        for (JobVertex vertex : graph.getVerticesSortedTopologicallyFromSources()) {
            int max = vertex.getMaxParallelism() > 0 ? vertex.getMaxParallelism() : 128;
            StateProbeTask.Place place =
                    new StateProbeTask.Place(vertex.getName(), Math.max(1, vertex.getParallelism()), max);
            StreamConfig head = new StreamConfig(vertex.getConfiguration());
            for (StreamConfig operator
                    : new TreeMap<>(head.getTransitiveChainedTaskConfigsWithSelf(userClasses)).values()) {
                String id = operator.getOperatorID().toHexString();
                if (question.only.isEmpty() || question.only.contains(id)) {
                    open(id, operator, place);
                }
            }
        }
    }

    private void open(String id, StreamConfig config, StateProbeTask.Place place) throws InterruptedException {
        Map<String, Object> told = new LinkedHashMap<>();
        operators.add(told);
        told.put("id", id);
        told.put("name", String.valueOf(config.getOperatorName()));
        long limit = Math.min(milliseconds("operator_ms"), deadline - System.currentTimeMillis());
        if (limit <= 0) {
            told.put("unopened", "no time was left to open it");
            return;
        }
        Attempt attempt = new Attempt(config, place);
        Thread thread = new Thread(attempt, "open " + config.getOperatorName());
        thread.setDaemon(true);
        thread.setContextClassLoader(userClasses);
        thread.start();
        thread.join(limit);
        told.put("unopened", attempt.failure);
        if (thread.isAlive()) {
            StackTraceElement where = StateProbe.usersPlace(thread.getStackTrace());
            String at = where == null ? "" : " (at " + where + ")";
            told.put("unopened", "it did not open within " + limit + " ms" + at);
            thread.interrupt();
        }
        try {
            StateProbeStates states = attempt.states();
            if (states != null) {
                tell(told, states);
                compare(id, states);
            }
        } catch (Exception | LinkageError e) {
            told.put("unopened", "what it registers cannot be told: " + StateProbe.words(e));
        }
    }

    private long milliseconds(String name) {
        return Long.parseLong(question.question.get(name));
    }

    /** What was registered before an operator failed was registered, too. */
    private static void tell(Map<String, Object> told, StateProbeStates states) throws IOException {
        byte[] keyed = states.keyedHead();
        byte[] other = states.operatorHead();
        told.put("keyed", keyed == null ? null : Base64.getEncoder().encodeToString(keyed));
        told.put("not_keyed", other == null ? null : Base64.getEncoder().encodeToString(other));
    }

    private void compare(String id, StateProbeStates states) throws IOException {
        StateProbeVerdict verdict = new StateProbeVerdict(states, userClasses, question.question.get("backend"),
                (state, part, resolution, message) -> {
                    Map<String, Object> told = new LinkedHashMap<>();
                    told.put("operator", id);
                    told.put("state", state);
                    told.put("part", part);
                    told.put("resolution", resolution);
                    told.put("message", message);
                    resolutions.add(told);
                });
        for (Path head : question.keyedHeads.getOrDefault(id, List.of())) {
            verdict.keyed(Files.readAllBytes(head));
        }
        for (Path head : question.otherHeads.getOrDefault(id, List.of())) {
            verdict.operator(Files.readAllBytes(head));
        }
    }

    /** One operator, being opened. */
    private final class Attempt implements Runnable {
        private final StreamConfig config;
        private final StateProbeTask.Place place;
        private volatile StreamOperatorStateContext context;
        private volatile StateProbeStates states;
        volatile String failure;

        Attempt(StreamConfig config, StateProbeTask.Place place) {
            this.config = config;
            this.place = place;
        }

        @Override
        public void run() {
            try {
                StreamOperatorFactory<Object> factory = config.getStreamOperatorFactory(userClasses);
                if (factory == null) {
                    return;  // the end of a loop, which is no operator
                }
                String type = factory.getStreamOperatorClass(userClasses).getName();
                if (type.contains(".operators.python.")) {
                    failure = "it runs Python, which only a worker beside Flink can open";
                    return;
                }
                try (AutoCloseable ignored = open(factory)) {
                    states = states();
                }
            } catch (Throwable e) {
                failure = StateProbe.words(e);
            }
        }

        /** What was registered so far; of an operator that was closed, what was registered before. */
        StateProbeStates states() throws ReflectiveOperationException {
            return states != null || context == null ? states : StateProbeStates.of(context);
        }

        private AutoCloseable open(StreamOperatorFactory<Object> factory) throws Exception {
            StateProbeTask task = new StateProbeTask(surroundings.environment(place));
            Tuple2<StreamOperator<Object>, Optional<ProcessingTimeService>> made =
                    StreamOperatorFactoryUtil.createOperator(factory, task, config,
                            StateProbeStub.of(Output.class), events());
            StreamOperator<Object> operator = made.f0;
            operator.initializeState(listening());
            // A source's state is registered by now, and opening it would start its reader.
            if (!(operator instanceof SourceOperator)) {
                operator.open();
            }
            return () -> close(operator);
        }

        /** So that what the user's code has opened is let go. Nothing is finished: that would commit. */
        private void close(StreamOperator<Object> operator) {
            try {
                operator.close();
            } catch (Exception | LinkageError e) {
                // It is as open as it was, and its process ends soon.
            }
        }

        private OperatorEventDispatcher events() {
            return StateProbeStub.of(OperatorEventDispatcher.class,
                    "getOperatorEventGateway", StateProbeStub.of(OperatorEventGateway.class));
        }

        /** Flink's own initializer on the heap, of which we keep what it makes. Its method grows with the versions. */
        private StreamTaskStateInitializer listening() {
            Environment narrow = surroundings.environment(place.narrow());
            StreamTaskStateInitializer real = new StreamTaskStateInitializerImpl(narrow, new HashMapStateBackend());
            return (StreamTaskStateInitializer) Proxy.newProxyInstance(getClass().getClassLoader(),
                    new Class<?>[] {StreamTaskStateInitializer.class}, (proxy, method, given) -> {
                        try {
                            Object made = method.invoke(real, given);
                            context = (StreamOperatorStateContext) made;
                            return made;
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        }
    }
}
