package io.scurry;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * What goes with a compiled plan: which statements it stands for, and what its operators are called.
 * A text of lines, each a word and its values, parted by tabs.
 */
final class PlanNames {
    static final String PLAN = "/scurry/plan/plan.json";
    private static final String NAMES = "/scurry/plan/names";

    /** The statements, counted from 0, that the plan stands for. */
    final Set<Integer> inserts = new LinkedHashSet<>();
    /** Node of the plan to the name of the table that it writes. */
    final Map<String, String> sinks = new LinkedHashMap<>();
    /** The planner's name of an operator, as 5_group-aggregate, to its uid. */
    final Map<String, String> uids = new LinkedHashMap<>();

    /** Returns what is in this jar; null if it has no plan. */
    static PlanNames read() throws IOException {
        if (PlanNames.class.getResource(NAMES) == null) {
            return null;
        }
        return parse(SqlScript.read(NAMES));
    }

    static PlanNames parse(String text) {
        PlanNames names = new PlanNames();
        for (String line : text.split("\n")) {
            String[] words = line.split("\t", -1);
            if (words[0].equals("insert")) {
                names.inserts.add(Integer.valueOf(words[1]));
            } else if (words[0].equals("sink")) {
                names.sinks.put(words[1], words[2]);
            } else if (words[0].equals("uid")) {
                names.uids.put(words[1], words[2]);
            }
        }
        return names;
    }
}
