package io.scurry;

import java.io.DataInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
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
 * take over what is in a snapshot: as JSON, in the file that the question names. The question comes on standard input;
 * when that ends early, whoever asked is gone, and so is this process.
 */
public final class StateProbe {
    final Map<String, String> question = new HashMap<>();
    final List<String> arguments = new ArrayList<>();
    final Configuration configuration = new Configuration();
    final Set<String> only = new HashSet<>();
    final Map<String, List<Path>> keyedHeads = new HashMap<>();
    final Map<String, List<Path>> otherHeads = new HashMap<>();
    private volatile boolean answered;

    private StateProbe() {}

    public static void main(String[] args) throws Exception {
        StateProbe probe = new StateProbe();
        InputStream input = System.in;
        probe.read(new DataInputStream(input));
        System.setIn(InputStream.nullInputStream());
        probe.endWith(input);
        Map<String, Object> found = new LinkedHashMap<>();
        Map<String, Object> ended = Map.of("failed", "it ended its own process");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> probe.answer(ended)));
        try {
            probe.openAll(found);
        } catch (Throwable e) {
            found.put("failed", words(e));
        }
        probe.answer(found);
        if (probe.question.containsKey("orderly")) {  // records a class-data archive, which happens at an orderly end
            System.exit(0);
        }
        Runtime.getRuntime().halt(0);  // what the user's code has started shall not keep us
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

    /** Pairs of name and value, each with its length in front; the first without a name is the last. */
    private void read(DataInputStream input) throws IOException {
        for (String name = text(input); !name.isEmpty(); name = text(input)) {
            String value = text(input);
            if (name.equals("argument")) {
                arguments.add(value);
            } else if (name.startsWith("option:")) {
                configuration.setString(name.substring("option:".length()), value);
            } else if (name.equals("only")) {
                only.add(value);
            } else if (name.startsWith("keyed:") || name.startsWith("other:")) {
                (name.startsWith("keyed:") ? keyedHeads : otherHeads)
                        .computeIfAbsent(name.substring("keyed:".length()), id -> new ArrayList<>())
                        .add(Path.of(value));
            } else {
                question.put(name, value);
            }
        }
    }

    private static String text(DataInputStream input) throws IOException {
        byte[] bytes = new byte[input.readInt()];
        input.readFully(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private void endWith(InputStream input) {
        Thread watch = new Thread(() -> {
            try {
                while (input.read() >= 0) {}
            } catch (IOException closed) {
                // the same
            }
            if (!answered) {
                Runtime.getRuntime().halt(1);
            }
        }, "scurry-watch");
        watch.setDaemon(true);
        watch.start();
    }

    private synchronized void answer(Map<String, Object> content) {
        if (answered) {
            return;
        }
        Path answer = Path.of(question.get("answer"));
        Path draft = answer.resolveSibling("draft");
        try {
            Files.writeString(draft, GraphText.json(content), StandardCharsets.UTF_8);
            Files.move(draft, answer, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Runtime.getRuntime().halt(1);  // its place is gone, and with it whoever asked
        }
        answered = true;
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
