package io.scurry;

import java.util.Collection;
import java.util.Map;

/** Writes JSON of maps, lists, strings, numbers, booleans and null. Flink's own library would take longer to load. */
final class GraphText {
    private GraphText() {}

    static String json(Object value) {
        StringBuilder text = new StringBuilder();
        write(value, text);
        return text.toString();
    }

    private static void write(Object value, StringBuilder text) {
        if (value instanceof Map) {
            String before = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                text.append(before);
                write(entry.getKey().toString(), text);
                text.append(':');
                write(entry.getValue(), text);
                before = ",";
            }
            text.append(before.equals("{") ? "{}" : "}");
        } else if (value instanceof Collection) {
            String before = "[";
            for (Object element : (Collection<?>) value) {
                text.append(before);
                write(element, text);
                before = ",";
            }
            text.append(before.equals("[") ? "[]" : "]");
        } else if (value instanceof CharSequence) {
            quote((CharSequence) value, text);
        } else {
            text.append(value);
        }
    }

    private static void quote(CharSequence value, StringBuilder text) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c < ' ' || Character.isSurrogate(c)) {
                text.append(String.format("\\u%04x", (int) c));
            } else {
                text.append(c);
            }
        }
        text.append('"');
    }
}
