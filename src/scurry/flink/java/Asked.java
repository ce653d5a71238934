package io.scurry;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;

/**
 * What `java_asking.py` asks, which comes on standard input, so that no secret is on a command line; and the one answer
 * to it, in the file that the question names.
 */
final class Asked {
    /** Takes what is not kept by its name alone: what may be there many times. */
    interface Taking {
        /** Whether it is taken. */
        boolean take(String name, String value) throws IOException;
    }

    private final Map<String, String> values = new HashMap<>();
    private volatile boolean answered;

    private Asked() {}

    /** Pairs of name and value, each with its length in front; the first without a name is the last. */
    static Asked read(InputStream from, Configuration options, Taking taking) throws IOException {
        Asked asked = new Asked();
        DataInputStream input = new DataInputStream(from);
        for (String name = text(input); !name.isEmpty(); name = text(input)) {
            String value = text(input);
            if (name.startsWith("option:")) {
                options.setString(name.substring("option:".length()), value);
            } else if (!taking.take(name, value)) {
                asked.values.put(name, value);
            }
        }
        return asked;
    }

    private static String text(DataInputStream input) throws IOException {
        byte[] bytes = new byte[input.readInt()];
        input.readFully(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Null where it is not in the question. */
    String get(String name) {
        return values.get(name);
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    boolean isAnswered() {
        return answered;
    }

    /** When standard input ends before there is an answer, whoever asked is gone, and so is this process. */
    void endWithWhoAsks(InputStream input) {
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

    /** Gives the answer, whole or not at all; only the first one counts. */
    synchronized void answer(String json) throws IOException {
        if (!answered) {
            Path answer = Path.of(get("answer"));
            Path draft = answer.resolveSibling("draft");
            Files.writeString(draft, json, StandardCharsets.UTF_8);
            Files.move(draft, answer, StandardCopyOption.ATOMIC_MOVE);
            answered = true;
        }
    }

    /** Ends this process: what the user's code has started shall not keep it. */
    void end() {
        if (has("orderly")) { // records a class-data archive, which happens at an orderly end
            System.exit(0);
        }
        Runtime.getRuntime().halt(0);
    }
}
