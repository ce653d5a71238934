package io.scurry;

import java.io.File;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.runtime.accumulators.AccumulatorRegistry;
import org.apache.flink.runtime.checkpoint.PrioritizedOperatorSubtaskState;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.executiongraph.ExecutionAttemptID;
import org.apache.flink.runtime.externalresource.ExternalResourceInfoProvider;
import org.apache.flink.runtime.io.disk.iomanager.IOManagerAsync;
import org.apache.flink.runtime.jobgraph.JobVertexID;
import org.apache.flink.runtime.memory.MemoryManager;
import org.apache.flink.runtime.memory.SharedResources;
import org.apache.flink.runtime.metrics.groups.UnregisteredMetricGroups;
import org.apache.flink.runtime.query.KvStateRegistry;
import org.apache.flink.runtime.state.LocalRecoveryConfig;
import org.apache.flink.runtime.state.TaskStateManager;
import org.apache.flink.runtime.taskexecutor.GlobalAggregateManager;
import org.apache.flink.runtime.taskmanager.TaskManagerRuntimeInfo;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.runtime.tasks.StreamTask;
import org.apache.flink.util.SimpleUserCodeClassLoader;

/** A task that never runs: what an operator needs around it to be opened, without a cluster. */
final class StateProbeTask extends StreamTask<Object, StreamOperator<Object>> {
    private static final int PAGE_BYTES = 32 * 1024;
    // Pages are taken when an operator writes records, which none here does.
    private static final long MANAGED_BYTES = 1L << 30;

    StateProbeTask(Environment environment) throws Exception {
        super(environment);
    }

    @Override
    protected void init() {}

    /** What a vertex is like; `name` and the two counts are what the user's code sees of it. */
    static final class Place {
        final String name;
        final int parallelism;
        final int maxParallelism;

        Place(String name, int parallelism, int maxParallelism) {
            this.name = name;
            this.parallelism = parallelism;
            this.maxParallelism = maxParallelism;
        }

        /** One key group: a table of states has an entry for each, however few keys there are. */
        Place narrow() {
            return new Place(name, 1, 1);
        }
    }

    /** What is the same for all operators of a job. */
    static final class Surroundings {
        private final ExecutionConfig executionConfig;
        private final Configuration jobConfiguration;
        private final ClassLoader userClasses;
        private final File directory;
        private final JobID job = new JobID();
        private final IOManagerAsync files;
        private final MemoryManager memory = MemoryManager.create(MANAGED_BYTES, PAGE_BYTES);

        Surroundings(ExecutionConfig executionConfig, Configuration job, ClassLoader userClasses, File directory) {
            this.executionConfig = executionConfig;
            this.jobConfiguration = withoutStorage(job);
            this.userClasses = userClasses;
            this.directory = directory;
            this.files = new IOManagerAsync(directory.getPath());
        }

        Environment environment(Place place) {
            JobVertexID vertex = new JobVertexID();
            ExecutionAttemptID attempt = ExecutionAttemptID.randomId();
            return StateProbeStub.of(Environment.class,
                    "getExecutionConfig", executionConfig,
                    "getJobID", job,
                    "getJobType", constant("org.apache.flink.runtime.jobgraph.JobType", "STREAMING"),
                    "getJobVertexId", vertex,
                    "getExecutionId", attempt,
                    "getTaskConfiguration", new Configuration(),
                    "getJobConfiguration", jobConfiguration,
                    "getTaskManagerInfo", taskManager(),
                    "getMetricGroup", UnregisteredMetricGroups.createUnregisteredTaskMetricGroup(),
                    "getJobInfo", jobInfo(),
                    "getTaskInfo", taskInfo(place),
                    "getIOManager", files,
                    "getMemoryManager", memory,
                    "getSharedResources", new SharedResources(),
                    "getUserCodeClassLoader", SimpleUserCodeClassLoader.create(userClasses),
                    "getTaskStateManager", StateProbeStub.of(TaskStateManager.class,
                            "prioritizedOperatorState", PrioritizedOperatorSubtaskState.emptyNotRestored(),
                            "createLocalRecoveryConfig", noLocalRecovery()),
                    "getGlobalAggregateManager", StateProbeStub.of(GlobalAggregateManager.class),
                    "getExternalResourceInfoProvider", ExternalResourceInfoProvider.NO_EXTERNAL_RESOURCES,
                    "getAccumulatorRegistry", new AccumulatorRegistry(job, attempt),
                    "getTaskKvStateRegistry", new KvStateRegistry().createTaskRegistry(job, vertex));
        }

        private TaskManagerRuntimeInfo taskManager() {
            Configuration configuration = new Configuration();
            configuration.set(CoreOptions.TMP_DIRS, directory.getPath());
            return StateProbeStub.of(TaskManagerRuntimeInfo.class,
                    "getConfiguration", configuration,
                    "getTmpDirectories", new String[] {directory.getPath()},
                    "getTaskManagerExternalAddress", "localhost",
                    "getTaskManagerBindAddress", "localhost",
                    "getTmpWorkingDirectory", directory);
        }

        private Object jobInfo() {
            Class<?> type = classOrNull("org.apache.flink.api.common.JobInfo");  // since 1.20
            return type == null ? null : StateProbeStub.of(type, "getJobId", job, "getJobName", "state probe");
        }
    }

    /** The task makes a state backend and a checkpoint storage of its own, which are not used: the plainest will do. */
    private static Configuration withoutStorage(Configuration job) {
        Configuration left = new Configuration();
        job.toMap().forEach((key, value) -> {
            if (!key.startsWith("state.") && !key.startsWith("execution.checkpointing.")) {
                left.setString(key, value);
            }
        });
        return left;
    }

    private static Object taskInfo(Place place) {
        // An interface since 1.20; before, a class with the same constructor as today's implementation has.
        Class<?> type = classOrNull("org.apache.flink.api.common.TaskInfoImpl");
        try {
            return (type == null ? Class.forName("org.apache.flink.api.common.TaskInfo") : type)
                    .getConstructor(String.class, int.class, int.class, int.class, int.class)
                    .newInstance(place.name, place.maxParallelism, 0, place.parallelism, 0);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this Flink's TaskInfo is not known", e);
        }
    }

    private static LocalRecoveryConfig noLocalRecovery() {
        try {
            try {
                return (LocalRecoveryConfig)
                        LocalRecoveryConfig.class.getField("BACKUP_AND_RECOVERY_DISABLED").get(null);
            } catch (NoSuchFieldException e) {  // before 1.20
                return (LocalRecoveryConfig) LocalRecoveryConfig.class.getConstructors()[0].newInstance((Object) null);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this Flink's LocalRecoveryConfig is not known", e);
        }
    }

    private static Object constant(String type, String name) {
        Class<?> found = classOrNull(type);
        if (found != null) {
            for (Object each : found.getEnumConstants()) {
                if (((Enum<?>) each).name().equals(name)) {
                    return each;
                }
            }
        }
        return null;
    }

    static Class<?> classOrNull(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            return null;
        }
    }
}
