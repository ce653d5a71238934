package io.scurry;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.MapSerializer;
import org.apache.flink.api.common.typeutils.base.MapSerializerSnapshot;
import org.apache.flink.core.memory.DataInputViewStreamWrapper;
import org.apache.flink.runtime.state.KeyedBackendSerializationProxy;
import org.apache.flink.runtime.state.OperatorBackendSerializationProxy;
import org.apache.flink.runtime.state.RegisteredBroadcastStateBackendMetaInfo;
import org.apache.flink.runtime.state.RegisteredKeyValueStateBackendMetaInfo;
import org.apache.flink.runtime.state.RegisteredOperatorStateBackendMetaInfo;
import org.apache.flink.runtime.state.RegisteredPriorityQueueStateBackendMetaInfo;
import org.apache.flink.runtime.state.StateSerializerProvider;
import org.apache.flink.runtime.state.heap.HeapKeyedStateBackend;
import org.apache.flink.runtime.state.metainfo.StateMetaInfoSnapshot;

/**
 * Asks Flink whether what an operator registers can take over what the old one left: by the very calls that the state
 * backends make when a state is registered that was restored, and by the rules that they add.
 *
 * <p>Rules of all backends: FullSnapshotRestoreOperation and HeapRestoreOperation (key), HeapKeyedStateBackend
 * .tryRegisterStateTable and RocksDBKeyedStateBackend.updateRestoredStateMetaInfo (namespace, kind, value),
 * HeapPriorityQueuesManager.createOrUpdate (timers), DefaultOperatorStateBackend (lists, broadcast state).
 */
final class StateProbeVerdict {
    /** Gets the answers. */
    interface Sink {
        void resolved(String state, String part, String resolution, String message);
    }

    private final StateProbeStates states;
    private final ClassLoader userClasses;
    private final String backend;
    private final Sink sink;
    private final Set<String> told = new HashSet<>();

    StateProbeVerdict(StateProbeStates states, ClassLoader userClasses, String backend, Sink sink) {
        this.states = states;
        this.userClasses = userClasses;
        this.backend = backend;
        this.sink = sink;
    }

    void keyed(byte[] head) {
        if (states.key == null) {
            return;  // StreamTaskStateInitializerImpl makes no keyed backend, so nothing is read
        }
        KeyedBackendSerializationProxy<?> old = new KeyedBackendSerializationProxy<>(userClasses);
        if (read(() -> old.read(view(head)))) {
            key(old.getKeySerializerSnapshot());
            old.getStateMetaInfoSnapshots().forEach(this::keyedState);
        }
    }

    void operator(byte[] head) {
        OperatorBackendSerializationProxy old = new OperatorBackendSerializationProxy(userClasses);
        if (read(() -> old.read(view(head)))) {
            old.getOperatorStateMetaInfoSnapshots().forEach(this::list);
            old.getBroadcastStateMetaInfoSnapshots().forEach(this::broadcast);
        }
    }

    private interface Reading {
        void run() throws IOException;
    }

    /**
     * The backends read the whole head first: one class that is gone, and nothing of the operator is restored. So it is
     * told of what all of it hangs on.
     */
    private boolean read(Reading reading) {
        try {
            reading.run();
            return true;
        } catch (Exception | LinkageError e) {
            tell("", "key", "incompatible", "Flink cannot read the old state's description: " + StateProbe.words(e));
            return false;
        }
    }

    private static DataInputViewStreamWrapper view(byte[] head) {
        return new DataInputViewStreamWrapper(new ByteArrayInputStream(head));
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private void key(TypeSerializerSnapshot<?> old) {
        TypeSerializer key = states.key;
        ask("", "key", "key serializer", key, false, () -> StateSerializerProvider.fromNewRegisteredSerializer(key)
                .setPreviousSerializerSnapshotForRestoredState((TypeSerializerSnapshot) old));
    }

    private void keyedState(StateMetaInfoSnapshot old) {
        String name = old.getName();
        boolean isTimer = old.getBackendStateType() == StateMetaInfoSnapshot.BackendStateType.PRIORITY_QUEUE;
        if (isTimer && states.timers.containsKey(name)) {
            timer(old, states.timers.get(name));
        } else if (!isTimer && states.keyed.containsKey(name)) {
            keyValue(old, states.keyed.get(name));
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private void timer(StateMetaInfoSnapshot old, RegisteredPriorityQueueStateBackendMetaInfo<?> registered) {
        TypeSerializer element = registered.getElementSerializer();
        ask(old.getName(), "value", "priority queue serializer", element, true,
                () -> new RegisteredPriorityQueueStateBackendMetaInfo(old).updateElementSerializer(element));
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private void keyValue(StateMetaInfoSnapshot old, RegisteredKeyValueStateBackendMetaInfo<?, ?> registered) {
        String name = old.getName();
        RegisteredKeyValueStateBackendMetaInfo restored;
        try {
            restored = (RegisteredKeyValueStateBackendMetaInfo)
                    RegisteredKeyValueStateBackendMetaInfo.fromMetaInfoSnapshot(old);
        } catch (RuntimeException e) {  // asynchronous state of ForSt, before a Flink that converts it
            tell(name, "value", "incompatible", StateProbe.words(e));
            return;
        }
        TypeSerializer namespace = registered.getNamespaceSerializer();
        ask(name, "namespace", "namespace serializer", namespace, false, () -> {
            restored.getNamespaceSerializer();
            return restored.updateNamespaceSerializer(namespace);
        });
        if (differ(restored.getStateType(), registered.getStateType())) {
            // RegisteredKeyValueStateBackendMetaInfo.checkStateMetaInfo
            tell(name, "value", "incompatible", "Incompatible key/value state types. Was [" + restored.getStateType()
                    + "], registered with [" + registered.getStateType() + "].");
            return;
        }
        TypeSerializer value = registered.getStateSerializer();
        ask(name, "value", "state serializer", value, true, () -> {
            // As the backends do first; fails when what it was made of is gone.
            TypeSerializer before = restored.getStateSerializer();
            TypeSerializerSchemaCompatibility result = restored.updateStateSerializer(value);
            if (result.isCompatibleAfterMigration()) {
                refuseMigration(restored, before, value);
            }
            return result;
        });
    }

    /** What a backend does not migrate though the serializers could. */
    @SuppressWarnings("rawtypes")
    private void refuseMigration(
            RegisteredKeyValueStateBackendMetaInfo restored, TypeSerializer before, TypeSerializer now) {
        switch (backend) {
            case "rocksdb":
                refuseOtherMapKey(restored, now);
                break;
            case "forst":
                if (states.asynchronous) {
                    // ForStKeyedStateBackend.updateRestoredStateMetaInfo
                    throw new IllegalStateException("ForSt does not migrate asynchronous state yet.");
                }
                refuseOtherMapKey(restored, now);
                break;
            default:
                refuseOtherTimeToLive(before, now);
        }
    }

    /** RocksDBKeyedStateBackend.migrateStateValues: a map's keys are RocksDB's keys, which are never rewritten. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    private static void refuseOtherMapKey(RegisteredKeyValueStateBackendMetaInfo restored, TypeSerializer now) {
        Object old = restored.getPreviousStateSerializerSnapshot();
        if (old instanceof MapSerializerSnapshot && now instanceof MapSerializer) {
            TypeSerializer key = ((MapSerializer) now).getKeySerializer();
            TypeSerializerSchemaCompatibility compatibility = StateSerializerProvider
                    .fromPreviousSerializerSnapshot(((MapSerializerSnapshot) old).getKeySerializerSnapshot())
                    .registerNewSerializerForRestoredState(key);
            if (!compatibility.isCompatibleAsIs()) {
                throw new IllegalStateException("The new serializer for a MapState requires state migration, since the"
                        + " key schema has changed; only its values can be migrated.");
            }
        }
    }

    /** HeapKeyedStateBackend.tryRegisterStateTable of Flink 2.1; it migrates since 2.2, and before 2.1 none does. */
    private static void refuseOtherTimeToLive(TypeSerializer<?> before, TypeSerializer<?> now) {
        Class<?> aware = StateProbeTask.classOrNull("org.apache.flink.runtime.state.ttl.TtlAwareSerializer");
        for (Method method : HeapKeyedStateBackend.class.getDeclaredMethods()) {
            if (aware == null || method.getName().equals("migrateTtlAwareStateValues")) {
                return;
            }
        }
        try {
            if ((boolean) aware.getMethod("needTtlStateMigration", TypeSerializer.class, TypeSerializer.class)
                    .invoke(null, before, now)) {
                throw new IllegalStateException(
                        "A time to live was added or removed, which Flink 2.1 migrates on RocksDB only.");
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this Flink's TtlAwareSerializer is not known", e);
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private void list(StateMetaInfoSnapshot old) {
        RegisteredOperatorStateBackendMetaInfo<?> registered = states.lists.get(old.getName());
        if (registered == null) {
            return;
        }
        RegisteredOperatorStateBackendMetaInfo restored = new RegisteredOperatorStateBackendMetaInfo(old);
        if (restored.getAssignmentMode() != registered.getAssignmentMode()) {
            // DefaultOperatorStateBackend.checkStateNameAndMode
            tell(old.getName(), "value", "incompatible", "Incompatible state assignment modes. Was ["
                    + restored.getAssignmentMode() + "], registered with [" + registered.getAssignmentMode() + "].");
            return;
        }
        TypeSerializer element = registered.getPartitionStateSerializer();
        ask(old.getName(), "value", "state serializer", element, true, () -> {
            restored.getPartitionStateSerializer();
            return restored.updatePartitionStateSerializer(element);
        });
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private void broadcast(StateMetaInfoSnapshot old) {
        RegisteredBroadcastStateBackendMetaInfo<?, ?> registered = states.broadcasts.get(old.getName());
        if (registered == null) {
            return;
        }
        RegisteredBroadcastStateBackendMetaInfo restored = new RegisteredBroadcastStateBackendMetaInfo(old);
        TypeSerializer key = registered.getKeySerializer();
        TypeSerializer value = registered.getValueSerializer();
        ask(old.getName(), "key", "broadcast key serializer", key, true, () -> {
            restored.getKeySerializer();
            return restored.updateKeySerializer(key);
        });
        ask(old.getName(), "value", "broadcast value serializer", value, true, () -> {
            restored.getValueSerializer();
            return restored.updateValueSerializer(value);
        });
    }

    private static boolean differ(StateDescriptor.Type old, StateDescriptor.Type now) {
        return old != now && old != StateDescriptor.Type.UNKNOWN && now != StateDescriptor.Type.UNKNOWN;
    }

    private void ask(String state, String part, String what, TypeSerializer<?> now, boolean mayMigrate,
            Supplier<TypeSerializerSchemaCompatibility<?>> question) {
        TypeSerializerSchemaCompatibility<?> answer;
        try {
            answer = question.get();
        } catch (RuntimeException | LinkageError e) {
            tell(state, part, "incompatible", StateProbe.words(e));
            return;
        }
        String name = now.getClass().getSimpleName();
        if (answer.isIncompatible()) {
            tell(state, part, "incompatible", "The new " + what + " (" + name + ") cannot read the old state.");
        } else if (answer.isCompatibleAfterMigration() && !mayMigrate) {
            tell(state, part, "incompatible", "The new " + what + " (" + name + ") would have to migrate the old state,"
                    + " which Flink does not do here.");
        } else {
            tell(state, part, answer.isCompatibleAfterMigration() ? "after-migration"
                    : answer.isCompatibleWithReconfiguredSerializer() ? "reconfigured" : "as-is", null);
        }
    }

    /** Once: the heads of several subtasks mostly say the same. */
    private void tell(String state, String part, String resolution, String message) {
        if (told.add(state + "\0" + part + "\0" + resolution + "\0" + message)) {
            sink.resolved(state, part, resolution, message);
        }
    }
}
