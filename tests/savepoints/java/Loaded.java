import java.io.DataInputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Map;
import java.util.TreeMap;

import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;

/**
 * Tells on standard error what Flink's own loader finds in `_metadata` files, which are its arguments: a line for each
 * file, operator and subtask.
 */
public class Loaded {
    public static void main(String[] arguments) {
        for (String file : arguments) {
            System.err.println("file " + file);
            try (DataInputStream in = new DataInputStream(Files.newInputStream(Paths.get(file)))) {
                tell(Checkpoints.loadCheckpointMetadata(in, Loaded.class.getClassLoader(), Paths.get(file).getParent().toUri().toString()));
            } catch (Throwable error) {
                System.err.println("error " + String.valueOf(error).replace('\n', ' ') + " at " + error.getStackTrace()[0]);
            }
        }
    }

    static void tell(CheckpointMetadata found) {
        System.err.println("checkpoint " + found.getCheckpointId());
        for (OperatorState operator : found.getOperatorStates()) {
            long coordinator = operator.getCoordinatorState() == null ? -1 : operator.getCoordinatorState().getStateSize();
            System.err.println("operator " + operator.getOperatorID() + " " + operator.getParallelism() + " "
                    + operator.getMaxParallelism() + " " + coordinator);
            Map<Integer, OperatorSubtaskState> subtasks = new TreeMap<>(operator.getSubtaskStates());
            for (Map.Entry<Integer, OperatorSubtaskState> each : subtasks.entrySet()) {
                OperatorSubtaskState state = each.getValue();
                System.err.println("subtask " + each.getKey() + " " + state.getStateSize() + " " + state.hasState());
            }
        }
    }
}
