package io.scurry;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;

/**
 * Stands for an interface of Flink's runtime: answers what it was told to answer, remembers what is set, and is empty
 * otherwise. Interfaces grow from version to version; a stand-in by name fits all of them.
 */
final class StateProbeStub implements InvocationHandler {
    private final Map<String, Object> answers = new HashMap<>();

    private StateProbeStub() {}

    /** A value is answered as it is; a `Function` is given the arguments and its result is answered. */
    static <T> T of(Class<T> type, Object... namesAndAnswers) {
        StateProbeStub stub = new StateProbeStub();
        for (int i = 0; i < namesAndAnswers.length; i += 2) {
            stub.answers.put((String) namesAndAnswers[i], namesAndAnswers[i + 1]);
        }
        return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, stub));
    }

    @Override
    @SuppressWarnings("unchecked")
    public Object invoke(Object proxy, Method method, Object[] given) {
        String name = method.getName();
        if (answers.containsKey(name)) {
            Object answer = answers.get(name);
            return answer instanceof Function ? ((Function<Object[], Object>) answer).apply(given) : answer;
        }
        if (name.startsWith("set") && given != null && given.length == 1) {
            answers.put("get" + name.substring(3), given[0]);
            return null;
        }
        if (method.getDeclaringClass() == Object.class) {
            return ofObject(proxy, name, given);
        }
        return empty(method.getReturnType());
    }

    private static Object ofObject(Object proxy, String name, Object[] given) {
        switch (name) {
            case "equals":
                return proxy == given[0];
            case "hashCode":
                return System.identityHashCode(proxy);
            default:
                return "stand-in of " + proxy.getClass().getInterfaces()[0].getSimpleName();
        }
    }

    private static Object empty(Class<?> type) {
        if (type == Optional.class) {
            return Optional.empty();
        }
        if (type == OptionalLong.class) {
            return OptionalLong.empty();
        }
        if (type == Map.class) {
            return Collections.emptyMap();
        }
        if (type == Set.class) {
            return Collections.emptySet();
        }
        if (Collection.class.isAssignableFrom(type) && type.isAssignableFrom(java.util.List.class)) {
            return Collections.emptyList();
        }
        if (type.isArray()) {
            return Array.newInstance(type.getComponentType(), 0);
        }
        // An array of one primitive holds that primitive's zero.
        return type.isPrimitive() && type != void.class ? Array.get(Array.newInstance(type, 1), 0) : null;
    }
}
