import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.nio.file.Files;
import java.nio.file.Paths;

import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;

/** Loads a `_metadata` with Flink's own loader, so many times; prints the seconds of each. Arguments: file, rounds. */
public class LoadMetadata {
    public static void main(String[] arguments) throws Exception {
        for (int round = 0; round < Integer.parseInt(arguments[1]); round++) {
            long started = System.nanoTime();
            int subtasks = 0;
            try (DataInputStream in =
                    new DataInputStream(new BufferedInputStream(Files.newInputStream(Paths.get(arguments[0])), 1 << 20))) {
                CheckpointMetadata found =
                        Checkpoints.loadCheckpointMetadata(in, LoadMetadata.class.getClassLoader(), arguments[0]);
                for (OperatorState operator : found.getOperatorStates()) {
                    subtasks += operator.getNumberCollectedStates();
                }
            }
            System.out.println((System.nanoTime() - started) / 1e9 + " " + subtasks);
        }
    }
}
