package io.scurry;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.plugin.PluginUtils;
import org.apache.flink.streaming.api.graph.StreamGraph;

/**
 * Opens the operators of a program without running it, and says what state they register and whether Flink lets it
 * take over what is in a snapshot, as JSON.
 */
public final class StateProbe {
    final List<String> arguments = new ArrayList<>();
    final Configuration configuration = new Configuration();
    final Set<String> only = new HashSet<>();
    final Map<String, List<Path>> keyedHeads = new HashMap<>();
    final Map<String, List<Path>> otherHeads = new HashMap<>();
    final Asked question;

    private StateProbe(InputStream input) throws IOException {
        question = Asked.read(input, configuration, this::take);
    }

    public static void main(String[] args) throws Exception {
        InputStream input = System.in;
        StateProbe probe = new StateProbe(input);
        System.setIn(InputStream.nullInputStream());
        probe.question.endWithWhoAsks(input);
        Map<String, Object> found = new LinkedHashMap<>();
        Map<String, Object> ended = Map.of("failed", "it ended its own process");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> probe.answer(ended)));
        try {
            probe.openAll(found);
        } catch (Throwable e) {
            found.put("failed", words(e));
        }
        probe.answer(found);
        probe.question.end();
    }

    private void openAll(Map<String, Object> found) throws Exception {
        FileSystem.initialize(configuration, PluginUtils.createPluginManagerFromRootFolder(configuration));
        String entry = question.get("entry");
        try (PackagedProgram program =
                PackagedPrograms.open(new File(question.get("jar")), entry, arguments, configuration)) {
            StreamGraph graph = PackagedPrograms.streamGraph(program, configuration);
            new StateProbeOpening(this, graph, program.getUserCodeClassLoader(), found).openAll();
        }
    }

    private boolean take(String name, String value) {
        if (name.equals("argument")) {
            return arguments.add(value);
        }
        if (name.equals("only")) {
            only.add(value);
            return true;
        }
        if (name.startsWith("keyed:") || name.startsWith("other:")) {
            return (name.startsWith("keyed:") ? keyedHeads : otherHeads)
                    .computeIfAbsent(name.substring("keyed:".length()), id -> new ArrayList<>())
                    .add(Path.of(value));
        }
        return false;
    }

    private void answer(Map<String, Object> content) {
        try {
            question.answer(GraphText.json(content));
        } catch (IOException e) {
            Runtime.getRuntime().halt(1);  // its place is gone, and with it whoever asked
        }
    }

    /** An exception's root cause: what happened, and where in the user's code. */
    static String words(Throwable thrown) {
        Throwable root = thrown;
        StackTraceElement place = null;
        for (Throwable each = thrown; each != null; each = each.getCause()) {
            root = each;
            StackTraceElement found = usersPlace(each.getStackTrace());
            place = found == null ? place : found;
        }
        String message = root.getMessage();
        return root.getClass().getSimpleName() + (message == null ? "" : ": " + message)
                + (place == null ? "" : " (at " + place + ")");
    }

    static StackTraceElement usersPlace(StackTraceElement[] trace) {
        for (StackTraceElement each : trace) {
            String name = each.getClassName();
            if (!name.startsWith("java.") && !name.startsWith("jdk.") && !name.startsWith("sun.")
                    && !name.startsWith("org.apache.flink.") && !name.startsWith("io.scurry.")) {
                return each;
            }
        }
        return null;
    }
}
