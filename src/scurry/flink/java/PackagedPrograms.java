package io.scurry;

import java.io.File;
import java.net.URL;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.dag.Pipeline;
import org.apache.flink.client.ClientUtils;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.core.execution.PipelineExecutorServiceLoader;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.graph.StreamGraph;

/**
 * From a jar to its stream graph. Its main() runs as a JobManager runs it for a jar-run call (JarRunHandler,
 * DetachedApplicationRunner), up to and beyond execute(), which takes the graph and starts nothing.
 */
public final class PackagedPrograms {
    private PackagedPrograms() {}

    /** A program that gave no graph, or no graph that could be run. */
    public static final class NoGraph extends Exception {
        public final String kind;

        NoGraph(String kind, String message) {
            super(message);
            this.kind = kind;
        }
    }

    /** Opens a jar. An entry of null is the manifest's. The configuration learns the jar's place, as in a real run. */
    public static PackagedProgram open(File jar, String entry, List<String> arguments, Configuration configuration)
            throws Exception {
        PackagedProgram program = PackagedProgram.newBuilder()
                .setJarFile(jar)
                .setEntryPointClassName(entry)
                .setArguments(arguments.toArray(new String[0]))
                .setConfiguration(configuration)
                .setUserClassPaths(classPaths(configuration))
                .build();
        List<String> jars = new ArrayList<>();
        for (URL url : program.getJobJarAndDependencies()) {
            jars.add(url.toString());
        }
        configuration.set(PipelineOptions.JARS, jars);
        return program;
    }

    /** Runs main() and returns the one graph that it wanted to be executed. What it throws comes out as it is. */
    public static StreamGraph streamGraph(PackagedProgram program, Configuration configuration) throws Exception {
        Capture capture = new Capture();
        configuration.set(DeploymentOptions.ATTACHED, false);
        configuration.set(DeploymentOptions.TARGET, Capture.NAME);
        try {
            ClientUtils.executeProgram(capture, configuration, program, true, true);
        } catch (Throwable failure) {
            // A program that waits for its job has shown its graph; that there is no job is not its fault.
            if (!capture.wasAskedForTheJob) {
                throw failure;
            }
        }
        if (capture.pipeline == null) {
            throw new NoGraph("no-job", "main() ended without a call of execute()");
        }
        if (!(capture.pipeline instanceof StreamGraph)) {
            throw new NoGraph("dataset", "the program uses the DataSet API: " + capture.pipeline.getClass().getName());
        }
        return (StreamGraph) capture.pipeline;
    }

    private static List<URL> classPaths(Configuration configuration) throws Exception {
        List<URL> found = new ArrayList<>();
        for (String path : configuration.getOptional(PipelineOptions.CLASSPATHS).orElse(List.of())) {
            found.add(new URL(path));
        }
        return found;
    }

    /** The executor of the one job: takes its pipeline. */
    private static final class Capture
            implements PipelineExecutorServiceLoader, PipelineExecutorFactory, PipelineExecutor {
        static final String NAME = "scurry-graph";
        private Pipeline pipeline;
        private volatile boolean wasAskedForTheJob;

        @Override
        public PipelineExecutorFactory getExecutorFactory(Configuration configuration) {
            return this;
        }

        @Override
        public Stream<String> getExecutorNames() {
            return Stream.of(NAME);
        }

        @Override
        public String getName() {
            return NAME;
        }

        @Override
        public boolean isCompatibleWith(Configuration configuration) {
            return true;
        }

        @Override
        public PipelineExecutor getExecutor(Configuration configuration) {
            return this;
        }

        @Override
        public CompletableFuture<JobClient> execute(Pipeline taken, Configuration configuration, ClassLoader loader) {
            pipeline = taken;
            if (taken instanceof StreamGraph) {
                PythonFunctions.of((StreamGraph) taken);
            }
            return CompletableFuture.completedFuture(new NoJob(this));
        }
    }

    /** Ends main(), as Flink's ProgramAbortException does: an Error, which few programs catch. */
    private static final class ThereIsNoJob extends Error {
        ThereIsNoJob() {
            super("only the job graph is built: there is no job that could be asked");
        }
    }

    private static final class NoJob implements JobClient {
        private final Capture capture;
        private final JobID id = new JobID();

        NoJob(Capture capture) {
            this.capture = capture;
        }

        @Override
        public JobID getJobID() {
            return id;
        }

        @Override
        public CompletableFuture<JobStatus> getJobStatus() {
            throw asked();
        }

        @Override
        public CompletableFuture<Void> cancel() {
            throw asked();
        }

        @Override
        public CompletableFuture<String> stopWithSavepoint(boolean drain, String to, SavepointFormatType format) {
            throw asked();
        }

        @Override
        public CompletableFuture<String> triggerSavepoint(String to, SavepointFormatType format) {
            throw asked();
        }

        @Override
        public CompletableFuture<java.util.Map<String, Object>> getAccumulators() {
            throw asked();
        }

        @Override
        public CompletableFuture<JobExecutionResult> getJobExecutionResult() {
            throw asked();
        }

        private ThereIsNoJob asked() {
            capture.wasAskedForTheJob = true;
            return new ThereIsNoJob();
        }
    }
}
