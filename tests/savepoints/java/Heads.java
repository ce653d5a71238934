import java.io.*;
import java.lang.reflect.*;
import java.nio.file.*;
import java.util.*;

import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.typeinfo.*;
import org.apache.flink.api.common.typeutils.*;
import org.apache.flink.api.common.typeutils.base.*;
import org.apache.flink.api.java.tuple.*;
import org.apache.flink.api.java.typeutils.*;
import org.apache.flink.api.java.typeutils.runtime.*;
import org.apache.flink.cep.nfa.sharedbuffer.Lockable;
import org.apache.flink.cep.nfa.sharedbuffer.SharedBufferNodeSerializer;
import org.apache.flink.core.memory.*;
import org.apache.flink.runtime.state.*;
import org.apache.flink.runtime.state.metainfo.StateMetaInfoSnapshot;
import org.apache.flink.runtime.state.ttl.TtlStateFactory;
import org.apache.flink.streaming.api.operators.TimerSerializer;
import org.apache.flink.streaming.runtime.streamrecord.StreamElementSerializer;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.runtime.typeutils.*;
import org.apache.flink.table.types.logical.*;
import org.apache.flink.types.*;

/**
 * Writes heads of state streams with Flink's own classes: one with every serializer that it has, and some with an
 * application's own serializers in them. Arguments: the folder to write to.
 */
public class Heads {
    static final List<StateMetaInfoSnapshot> STATES = new ArrayList<>();
    static final List<String> LINES = new ArrayList<>();

    interface Making {
        Object make() throws Exception;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static StateMetaInfoSnapshot valueState(String name, TypeSerializer<?> serializer) {
        return new RegisteredKeyValueStateBackendMetaInfo(
                        StateDescriptor.Type.VALUE, name, VoidNamespaceSerializer.INSTANCE, serializer)
                .snapshot();
    }

    static void add(String name, Making making) {
        TypeSerializer<?> serializer;
        try {
            Object made = making.make();
            serializer = made instanceof TypeInformation ? serializerOf((TypeInformation<?>) made) : (TypeSerializer<?>) made;
            serializer.snapshotConfiguration();
            STATES.add(valueState(name, serializer));
        } catch (Throwable error) {
            System.err.println("not written: " + name + ": " + error);
            return;
        }
        LINES.add(name + "\t" + serializer.snapshotConfiguration().getClass().getName());
    }

    /** `createSerializer` takes an ExecutionConfig up to 1.x, a SerializerConfig since. */
    static TypeSerializer<?> serializerOf(TypeInformation<?> type) throws Exception {
        ExecutionConfig config = new ExecutionConfig();
        try {
            Object newer = ExecutionConfig.class.getMethod("getSerializerConfig").invoke(config);
            Class<?> parameter = Class.forName("org.apache.flink.api.common.serialization.SerializerConfig");
            return (TypeSerializer<?>) TypeInformation.class.getMethod("createSerializer", parameter).invoke(type, newer);
        } catch (NoSuchMethodException older) {
            return (TypeSerializer<?>)
                    TypeInformation.class.getMethod("createSerializer", ExecutionConfig.class).invoke(type, config);
        }
    }

    static Object ttlAware(TypeSerializer<?> serializer) throws Exception {
        Class<?> wrapper = Class.forName("org.apache.flink.runtime.state.ttl.TtlAwareSerializer");
        return wrapper.getMethod("wrapTtlAwareSerializer", TypeSerializer.class).invoke(null, serializer);
    }

    static Object instance(String className) throws Exception {
        return Class.forName(className).getField("INSTANCE").get(null);
    }

    static Object construct(String className, Object... arguments) throws Exception {
        for (Constructor<?> each : Class.forName(className).getDeclaredConstructors()) {
            if (each.getParameterCount() == arguments.length) {
                try {
                    each.setAccessible(true);
                    return each.newInstance(arguments);
                } catch (IllegalArgumentException another) {
                    continue;
                }
            }
        }
        throw new NoSuchMethodException(className);
    }

    public static class Account {
        public String id;
        public long total;
        public Color color;
        public Celsius warm;
        public List<Integer> numbers;
        public Account parent;
    }

    public static class Savings extends Account {
        public double rate;
    }

    public enum Color { RED, GREEN, BLUE }

    public static class Opaque {
        private final Object what;

        public Opaque(Object what) {
            this.what = what;
        }
    }

    public static class Weight implements Value {
        @Override
        public void write(DataOutputView out) {}

        @Override
        public void read(DataInputView in) {}
    }

    /** Serialized by a serializer of the application's own, wherever it occurs. */
    @TypeInfo(CelsiusFactory.class)
    public static class Celsius {
        public double degrees;
    }

    public static class CelsiusFactory extends TypeInfoFactory<Celsius> {
        @Override
        public TypeInformation<Celsius> createTypeInfo(Type type, Map<String, TypeInformation<?>> parameters) {
            return new CelsiusInfo();
        }
    }

    public static class CelsiusInfo extends TypeInformation<Celsius> {
        public boolean isBasicType() { return false; }
        public boolean isTupleType() { return false; }
        public int getArity() { return 1; }
        public int getTotalFields() { return 1; }
        public Class<Celsius> getTypeClass() { return Celsius.class; }
        public boolean isKeyType() { return false; }
        // Up to Flink 1.20 it is an ExecutionConfig; whoever compiles this sets what fits.
        public TypeSerializer<Celsius> createSerializer(CONFIG config) { return new CelsiusSerializer(); }
        public String toString() { return "Celsius"; }
        public boolean equals(Object other) { return other instanceof CelsiusInfo; }
        public int hashCode() { return 1; }
        public boolean canEqual(Object other) { return other instanceof CelsiusInfo; }
    }

    public static class CelsiusSerializer extends TypeSerializerSingleton<Celsius> {
        public boolean isImmutableType() { return false; }
        public Celsius createInstance() { return new Celsius(); }
        public Celsius copy(Celsius from) { return from; }
        public Celsius copy(Celsius from, Celsius reuse) { return from; }
        public int getLength() { return 8; }
        public void serialize(Celsius record, DataOutputView target) {}
        public Celsius deserialize(DataInputView source) { return new Celsius(); }
        public Celsius deserialize(Celsius reuse, DataInputView source) { return reuse; }
        public void copy(DataInputView source, DataOutputView target) {}
        public TypeSerializerSnapshot<Celsius> snapshotConfiguration() { return new CelsiusSnapshot(); }
    }

    /** A body that only its own class can read; it looks like other things. */
    public static class CelsiusSnapshot implements TypeSerializerSnapshot<Celsius> {
        public int getCurrentVersion() { return 7; }

        public void writeSnapshot(DataOutputView out) throws IOException {
            out.writeUTF("degrees of \u00b0C");
            out.writeLong(0x0123456789abcdefL);
            out.writeUTF("VALUE_SERIALIZER");
            out.writeInt(1);
            out.write(new byte[300]);
        }

        public void readSnapshot(int version, DataInputView in, ClassLoader loader) {}
        public TypeSerializer<Celsius> restoreSerializer() { return new CelsiusSerializer(); }
        public TypeSerializerSchemaCompatibility<Celsius> resolveSchemaCompatibility(TypeSerializer<Celsius> other) { return null; }
        public TypeSerializerSchemaCompatibility<Celsius> resolveSchemaCompatibility(TypeSerializerSnapshot<Celsius> other) { return null; }
    }

    /** An own serializer with nothing to tell, as most are. */
    public static class PlainSerializer extends CelsiusSerializer {
        public TypeSerializerSnapshot<Celsius> snapshotConfiguration() { return new PlainSnapshot(); }
    }

    public static class PlainSnapshot extends SimpleTypeSerializerSnapshot<Celsius> {
        public PlainSnapshot() { super(PlainSerializer::new); }
    }

    /** An own serializer with others in it, and something to tell besides. */
    public static class BoxSerializer extends CelsiusSerializer {
        public TypeSerializerSnapshot<Celsius> snapshotConfiguration() { return new BoxSnapshot(this); }
    }

    public static class BoxSnapshot extends CompositeTypeSerializerSnapshot<Celsius, BoxSerializer> {
        public BoxSnapshot(BoxSerializer serializer) { super(serializer); }
        protected int getCurrentOuterSnapshotVersion() { return 4; }
        protected void writeOuterSnapshot(DataOutputView out) throws IOException {
            out.writeUTF("a label");
            out.writeDouble(1.5);
        }
        protected TypeSerializer<?>[] getNestedSerializers(BoxSerializer outer) {
            return new TypeSerializer<?>[] {LongSerializer.INSTANCE, StringSerializer.INSTANCE};
        }
        protected BoxSerializer createOuterSerializerWithNestedSerializers(TypeSerializer<?>[] nested) { return new BoxSerializer(); }
    }

    static void ofFlink() {
        for (Object[] each : SINGLE) {
            add((String) each[0], () -> instance((String) each[1]));
        }
        add("tuple", () -> TypeInformation.of(new TypeHint<Tuple3<Long, String, Boolean>>() {}));
        add("tuple0", () -> instance("org.apache.flink.api.java.typeutils.runtime.Tuple0Serializer"));
        add("row", () -> Types.ROW_NAMED(new String[] {"a", "b"}, Types.LONG, Types.STRING));
        add("either", () -> new EitherTypeInfo<>(Types.LONG, Types.STRING));
        add("array", () -> Types.OBJECT_ARRAY(Types.POJO(Savings.class)));
        add("long[]", () -> Types.PRIMITIVE_ARRAY(Types.LONG));
        add("list", () -> Types.LIST(Types.STRING));
        add("map", () -> Types.MAP(Types.STRING, Types.LIST(Types.INT)));
        add("set", () -> TypeInformation.of(new TypeHint<Set<Integer>>() {}));
        add("pojo", () -> Types.POJO(Account.class));
        add("enum", () -> Types.ENUM(Color.class));
        add("kryo", () -> new GenericTypeInfo<>(Opaque.class));
        add("nullable", () -> NullableSerializer.wrap(LongSerializer.INSTANCE, true));
        add("value", () -> new ValueSerializer<>(Weight.class));
        add("copyable", () -> new CopyableValueSerializer<>(LongValue.class));
        add("timer", () -> new TimerSerializer<>(LongSerializer.INSTANCE, VoidNamespaceSerializer.INSTANCE));
        add("ttl", () -> new TtlStateFactory.TtlSerializer<>(LongSerializer.INSTANCE, StringSerializer.INSTANCE));
        add("ttl-list", () -> new ListSerializer<>(new TtlStateFactory.TtlSerializer<>(LongSerializer.INSTANCE, StringSerializer.INSTANCE)));
        add("ttl-aware", () -> ttlAware(LongSerializer.INSTANCE));
        add("ttl-aware-ttl", () -> ttlAware(new TtlStateFactory.TtlSerializer<>(LongSerializer.INSTANCE, StringSerializer.INSTANCE)));
        add("time-window", () -> construct("org.apache.flink.streaming.api.windowing.windows.TimeWindow$Serializer"));
        add("global-window", () -> construct("org.apache.flink.streaming.api.windowing.windows.GlobalWindow$Serializer"));
        add("checked", () -> construct("org.apache.flink.api.common.typeutils.SingleThreadAccessCheckingTypeSerializer", LongSerializer.INSTANCE));
        add("array-list", () -> new ArrayListSerializer<>(LongSerializer.INSTANCE));
        add("java", () -> new JavaSerializer<String>());
        add("stream-element", () -> new StreamElementSerializer<>(LongSerializer.INSTANCE));
        add("union", () -> construct("org.apache.flink.streaming.api.datastream.CoGroupedStreams$UnionSerializer", LongSerializer.INSTANCE, StringSerializer.INSTANCE));
        add("buffer-entry", () -> construct("org.apache.flink.streaming.api.operators.co.IntervalJoinOperator$BufferEntrySerializer", LongSerializer.INSTANCE));
        for (String place : new String[] {"sink.legacy.", "sink."}) {
            add("two-phase " + place, () -> construct("org.apache.flink.streaming.api.functions." + place + "TwoPhaseCommitSinkFunction$StateSerializer", LongSerializer.INSTANCE, StringSerializer.INSTANCE));
        }
        add("nfa", () -> construct("org.apache.flink.cep.nfa.NFAStateSerializer"));
        add("nfa-2", () -> construct("org.apache.flink.cep.nfa.NFAStateSerializer", true));
        add("lockable", () -> new Lockable.LockableTypeSerializer<>(LongSerializer.INSTANCE));
        add("shared-buffer-node", () -> new SharedBufferNodeSerializer());
    }

    static void ofSql() {
        LogicalType row = DataTypes.ROW(
                DataTypes.FIELD("b", DataTypes.BOOLEAN()), DataTypes.FIELD("t", DataTypes.TINYINT()),
                DataTypes.FIELD("s", DataTypes.SMALLINT()), DataTypes.FIELD("i", DataTypes.INT().notNull()),
                DataTypes.FIELD("l", DataTypes.BIGINT()), DataTypes.FIELD("f", DataTypes.FLOAT()),
                DataTypes.FIELD("d", DataTypes.DOUBLE()), DataTypes.FIELD("n", DataTypes.DECIMAL(10, 2)),
                DataTypes.FIELD("c", DataTypes.CHAR(3)), DataTypes.FIELD("v", DataTypes.VARCHAR(30)),
                DataTypes.FIELD("x", DataTypes.STRING().notNull()), DataTypes.FIELD("y", DataTypes.BYTES()),
                DataTypes.FIELD("z", DataTypes.BINARY(4)), DataTypes.FIELD("day", DataTypes.DATE()),
                DataTypes.FIELD("time", DataTypes.TIME(3)), DataTypes.FIELD("ts", DataTypes.TIMESTAMP(6)),
                DataTypes.FIELD("tz", DataTypes.TIMESTAMP_WITH_LOCAL_TIME_ZONE(3)),
                DataTypes.FIELD("iv", DataTypes.INTERVAL(DataTypes.DAY())),
                DataTypes.FIELD("a", DataTypes.ARRAY(DataTypes.INT().notNull())),
                DataTypes.FIELD("m", DataTypes.MAP(DataTypes.STRING(), DataTypes.BIGINT())),
                DataTypes.FIELD("ms", DataTypes.MULTISET(DataTypes.STRING())),
                DataTypes.FIELD("r", DataTypes.ROW(DataTypes.FIELD("q", DataTypes.INT())))).getLogicalType();
        add("sql-row", () -> new RowDataSerializer((RowType) row));
        add("sql-array", () -> new ArrayDataSerializer(new DecimalType(10, 2)));
        add("sql-map", () -> new MapDataSerializer(new VarCharType(9), new BigIntType(false)));
        add("sql-decimal", () -> new DecimalDataSerializer(10, 2));
        add("sql-timestamp", () -> new TimestampDataSerializer(3));
        add("sql-raw", () -> new RawValueDataSerializer<>(LongSerializer.INSTANCE));
        add("sql-binary-row", () -> new BinaryRowDataSerializer(3));
        add("sql-linked-list", () -> new LinkedListSerializer<>(LongSerializer.INSTANCE));
        add("sql-sorted-map", () -> new SortedMapTypeInfo<>(Long.class, String.class));
        add("sql-sorted-map-2", () -> new SortedMapSerializer<>(new NaturalOrder(), LongSerializer.INSTANCE, StringSerializer.INSTANCE));
        add("sql-window-key", () -> construct("org.apache.flink.table.runtime.typeutils.WindowKeySerializer", new BinaryRowDataSerializer(2)));
        add("sql-external", () -> ExternalSerializer.of(DataTypes.ROW(DataTypes.FIELD("a", DataTypes.INT()))));
        add("sql-count-window", () -> construct("org.apache.flink.table.runtime.operators.window.CountWindow$Serializer"));
        add("sql-time-window", () -> construct("org.apache.flink.table.runtime.operators.window.TimeWindow$Serializer"));
        add("sql-sorted-long", () -> construct("org.apache.flink.table.runtime.operators.sink.SortedLongSerializer"));
        for (String name : new String[] {"MetaSqnInfo", "RowSqnInfo"}) {
            add("sql-" + name, () -> construct("org.apache.flink.table.runtime.sequencedmultisetstate.linked." + name + "Serializer"));
        }
        add("sql-node", () -> construct("org.apache.flink.table.runtime.sequencedmultisetstate.linked.NodeSerializer", new RowDataSerializer((RowType) row)));
        add("sql-list-view", () -> construct("org.apache.flink.table.dataview.ListViewSerializer", new ListSerializer<>(LongSerializer.INSTANCE)));
        add("sql-map-view", () -> construct("org.apache.flink.table.dataview.MapViewSerializer", new MapSerializer<>(LongSerializer.INSTANCE, StringSerializer.INSTANCE)));
        add("sql-null-aware-map", () -> construct("org.apache.flink.table.dataview.NullAwareMapSerializer", LongSerializer.INSTANCE, StringSerializer.INSTANCE));
    }

    public static class NaturalOrder implements Comparator<Long>, Serializable {
        public int compare(Long one, Long other) { return one.compareTo(other); }
    }

    static final Object[][] SINGLE = singles();

    static Object[][] singles() {
        String base = "org.apache.flink.api.common.typeutils.base.";
        List<Object[]> all = new ArrayList<>();
        for (String name : ("BigDec BigInt Boolean BooleanValue Byte ByteValue Char CharValue Date Double DoubleValue Float FloatValue Instant Int "
                + "IntValue LocalDate LocalDateTime LocalTime Long LongValue NullValue Short ShortValue SqlDate SqlTime SqlTimestamp "
                + "String StringValue Variant Bitmap Void").split(" ")) {
            all.add(new Object[] {name, base + name + "Serializer"});
        }
        for (String name : "Boolean Byte Char Double Float Int Long Short".split(" ")) {
            all.add(new Object[] {name + " array", base + "array." + name + "PrimitiveArraySerializer"});
        }
        all.add(new Object[] {"String array", base + "array.StringArraySerializer"});
        all.add(new Object[] {"namespace", "org.apache.flink.runtime.state.VoidNamespaceSerializer"});
        all.add(new Object[] {"sql-string", "org.apache.flink.table.runtime.typeutils.StringDataSerializer"});
        return all.toArray(new Object[0][]);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static void write(Path file, TypeSerializer<?> key, List<StateMetaInfoSnapshot> states, boolean operator) throws IOException {
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(file))) {
            DataOutputView view = new DataOutputViewStreamWrapper(out);
            if (operator) {
                new OperatorBackendSerializationProxy(states.subList(0, 2), states.subList(2, 3), false).write(view);
            } else {
                new KeyedBackendSerializationProxy((TypeSerializer) key, states, false).write(view);
            }
        }
    }

    static StateMetaInfoSnapshot timers(String name) {
        return new RegisteredPriorityQueueStateBackendMetaInfo<>(
                        name, new TimerSerializer<>(LongSerializer.INSTANCE, VoidNamespaceSerializer.INSTANCE))
                .snapshot();
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Paths.get(arguments[0]);
        Files.createDirectories(folder);
        ofFlink();
        ofSql();
        write(folder.resolve("known"), LongSerializer.INSTANCE, STATES, false);
        Files.write(folder.resolve("known.txt"), LINES);
        TypeSerializer<?> own = new CelsiusSerializer();
        write(folder.resolve("own"), LongSerializer.INSTANCE, Arrays.asList(
                valueState("before", LongSerializer.INSTANCE), valueState("own", own),
                valueState("list-of-own", new ListSerializer<>(own)), valueState("plain", new PlainSerializer()),
                valueState("box", new BoxSerializer()), timers("_timer_state/event_user-timers"),
                valueState("between", StringSerializer.INSTANCE),
                valueState("pojo", serializerOf(Types.POJO(Account.class))), valueState("last", own)), false);
        write(folder.resolve("own-key"), own, Arrays.asList(valueState("count", LongSerializer.INSTANCE)), false);
        write(folder.resolve("own-operator"), null, Arrays.asList(
                new RegisteredOperatorStateBackendMetaInfo<>("split", new CelsiusSerializer(), OperatorStateHandle.Mode.SPLIT_DISTRIBUTE).snapshot(),
                new RegisteredOperatorStateBackendMetaInfo<>("union", new CelsiusSerializer(), OperatorStateHandle.Mode.UNION).snapshot(),
                new RegisteredBroadcastStateBackendMetaInfo<>("rules", OperatorStateHandle.Mode.BROADCAST, new CelsiusSerializer(), new CelsiusSerializer()).snapshot()), true);
    }
}
