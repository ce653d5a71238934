package io.scurry;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.state.BackendWritableBroadcastState;
import org.apache.flink.runtime.state.DefaultOperatorStateBackend;
import org.apache.flink.runtime.state.KeyedBackendSerializationProxy;
import org.apache.flink.runtime.state.OperatorBackendSerializationProxy;
import org.apache.flink.runtime.state.PartitionableListState;
import org.apache.flink.runtime.state.RegisteredBroadcastStateBackendMetaInfo;
import org.apache.flink.runtime.state.RegisteredKeyValueStateBackendMetaInfo;
import org.apache.flink.runtime.state.RegisteredOperatorStateBackendMetaInfo;
import org.apache.flink.runtime.state.RegisteredPriorityQueueStateBackendMetaInfo;
import org.apache.flink.runtime.state.RegisteredStateMetaInfoBase;
import org.apache.flink.runtime.state.heap.HeapKeyedStateBackend;
import org.apache.flink.runtime.state.heap.HeapPriorityQueueSnapshotRestoreWrapper;
import org.apache.flink.runtime.state.heap.StateTable;
import org.apache.flink.runtime.state.metainfo.StateMetaInfoSnapshot;
import org.apache.flink.streaming.api.operators.StreamOperatorStateContext;

/** What an operator has registered with its state backends: read out of their fields, which Flink shows to nobody. */
final class StateProbeStates {
    TypeSerializer<?> key;
    boolean asynchronous;
    final Map<String, RegisteredKeyValueStateBackendMetaInfo<?, ?>> keyed = new TreeMap<>();
    final Map<String, RegisteredPriorityQueueStateBackendMetaInfo<?>> timers = new TreeMap<>();
    final Map<String, RegisteredOperatorStateBackendMetaInfo<?>> lists = new TreeMap<>();
    final Map<String, RegisteredBroadcastStateBackendMetaInfo<?, ?>> broadcasts = new TreeMap<>();

    static StateProbeStates of(StreamOperatorStateContext context) throws ReflectiveOperationException {
        StateProbeStates states = new StateProbeStates();
        HeapKeyedStateBackend<?> backend = states.keyedBackend(context);
        if (backend != null) {
            states.key = backend.getKeySerializer();
            states.readKeyed(backend);
        }
        if (context.operatorStateBackend() instanceof DefaultOperatorStateBackend) {
            states.readOperator((DefaultOperatorStateBackend) context.operatorStateBackend());
        }
        return states;
    }

    private HeapKeyedStateBackend<?> keyedBackend(StreamOperatorStateContext context)
            throws ReflectiveOperationException {
        Object backend = context.keyedStateBackend();
        if (backend == null) {
            // Flink 2.x wraps the heap backend for operators with asynchronous state (AsyncKeyedStateBackendAdaptor).
            for (Method method : StreamOperatorStateContext.class.getMethods()) {
                if (method.getName().equals("asyncKeyedStateBackend")) {
                    Object adaptor = method.invoke(context);
                    asynchronous = adaptor != null;
                    backend = adaptor == null ? null : field(adaptor, "keyedStateBackend");
                }
            }
        }
        return (HeapKeyedStateBackend<?>) backend;
    }

    private void readKeyed(HeapKeyedStateBackend<?> backend) throws ReflectiveOperationException {
        for (Object table : new ArrayList<>(((Map<?, ?>) field(backend, "registeredKVStates")).values())) {
            RegisteredKeyValueStateBackendMetaInfo<?, ?> meta = ((StateTable<?, ?, ?>) table).getMetaInfo();
            keyed.put(meta.getName(), meta);
        }
        Object queues = field(backend, "priorityQueuesManager");
        for (Object queue : new ArrayList<>(((Map<?, ?>) field(queues, "registeredPQStates")).values())) {
            RegisteredPriorityQueueStateBackendMetaInfo<?> meta =
                    ((HeapPriorityQueueSnapshotRestoreWrapper<?>) queue).getMetaInfo();
            timers.put(meta.getName(), meta);
        }
    }

    private void readOperator(DefaultOperatorStateBackend backend) throws ReflectiveOperationException {
        for (Object state : new ArrayList<>(((Map<?, ?>) field(backend, "registeredOperatorStates")).values())) {
            RegisteredOperatorStateBackendMetaInfo<?> meta = ((PartitionableListState<?>) state).getStateMetaInfo();
            lists.put(meta.getName(), meta);
        }
        for (Object state : new ArrayList<>(((Map<?, ?>) field(backend, "registeredBroadcastStates")).values())) {
            RegisteredBroadcastStateBackendMetaInfo<?, ?> meta =
                    ((BackendWritableBroadcastState<?, ?>) state).getStateMetaInfo();
            broadcasts.put(meta.getName(), meta);
        }
    }

    /** As it stands at the start of a savepoint's file; null without keyed state. */
    byte[] keyedHead() throws IOException {
        if (key == null) {
            return null;
        }
        List<StateMetaInfoSnapshot> snapshots = snapshots(keyed);
        snapshots.addAll(snapshots(timers));
        DataOutputSerializer out = new DataOutputSerializer(1024);
        new KeyedBackendSerializationProxy<>(key, snapshots, false).write(out);
        return out.getCopyOfBuffer();
    }

    /** As it stands at the start of a savepoint's file; null without operator state. */
    byte[] operatorHead() throws IOException {
        if (lists.isEmpty() && broadcasts.isEmpty()) {
            return null;
        }
        DataOutputSerializer out = new DataOutputSerializer(1024);
        new OperatorBackendSerializationProxy(snapshots(lists), snapshots(broadcasts), false).write(out);
        return out.getCopyOfBuffer();
    }

    private static List<StateMetaInfoSnapshot> snapshots(Map<String, ? extends RegisteredStateMetaInfoBase> states) {
        List<StateMetaInfoSnapshot> snapshots = new ArrayList<>();
        states.values().forEach(state -> snapshots.add(state.snapshot()));
        return snapshots;
    }

    private static Object field(Object object, String name) throws ReflectiveOperationException {
        for (Class<?> type = object.getClass(); type != null; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().equals(name)) {
                    field.setAccessible(true);
                    return field.get(object);
                }
            }
        }
        throw new NoSuchFieldException(object.getClass().getName() + "." + name);
    }
}
