import java.io.Serializable;
import java.time.Duration;
import java.util.AbstractMap;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.AggregatingStateDescriptor;
import org.apache.flink.api.common.state.BroadcastState;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.co.KeyedBroadcastProcessFunction;
import org.apache.flink.streaming.api.functions.co.KeyedCoProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.GlobalWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.triggers.CountTrigger;
import org.apache.flink.streaming.api.windowing.windows.Window;
import org.apache.flink.util.Collector;

/**
 * A program and what it becomes: the test compiles it without the lines that end with `// new`, and without those that
 * end with `// old`. Each operator is a change of its own, named by its uid; the arguments say which of them to run.
 */
public final class StateChanges {
    private final Set<String> wanted;
    private final StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    private final DataStream<Long> numbers;

    private StateChanges(String[] args) {
        wanted = new HashSet<>(Arrays.asList(args));
        env.setMaxParallelism(8);
        numbers = env.fromSequence(0, Long.MAX_VALUE).uid("source").name("source")
                .map(StateChanges::slowly).returns(Long.class).uid("slowly")
                .assignTimestampsAndWatermarks(WatermarkStrategy.<Long>forMonotonousTimestamps()
                        .withTimestampAssigner((number, before) -> number)).uid("watermarks");
    }

    private static Long slowly(Long number) throws InterruptedException {
        Thread.sleep(2);
        return number;
    }

    public static void main(String[] args) throws Exception {
        StateChanges changes = new StateChanges(args);
        changes.values();
        changes.collections();
        changes.keys();
        changes.structures();
        changes.operators();
        changes.windows();
        changes.asynchronous();  // 2.x
        changes.env.execute();
    }

    private boolean wants(String name) {
        return wanted.isEmpty() || wanted.contains(name);
    }

    // Values -------------------------------------------------------------------------------------------------------

    private void values() {
        keep("same", new ValueStateDescriptor<>("state", Long.class), n -> n);
        keep("pojo-same", new ValueStateDescriptor<>("state", Same.class), n -> new Same());
        keep("primitive-retyped", new ValueStateDescriptor<>("state", Long.class), n -> n); // old
        keep("primitive-retyped", new ValueStateDescriptor<>("state", Integer.class), n -> (int) n); // new
        keep("pojo-field-added", new ValueStateDescriptor<>("state", Added.class), n -> new Added());
        keep("pojo-field-removed", new ValueStateDescriptor<>("state", Removed.class), n -> new Removed());
        keep("pojo-field-retyped", new ValueStateDescriptor<>("state", Retyped.class), n -> new Retyped());
        keep("enum-constant-added", new ValueStateDescriptor<>("state", More.class), n -> More.ONE);
        keep("enum-constant-removed", new ValueStateDescriptor<>("state", Fewer.class), n -> Fewer.ONE);
        keep("kryo-same", new ValueStateDescriptor<>("state", Opaque.class), n -> new Opaque(n));
        keep("kryo-field-added", new ValueStateDescriptor<>("state", OpaqueAdded.class), n -> new OpaqueAdded(n));
        keep("kryo-to-pojo", new ValueStateDescriptor<>("state", Opening.class), n -> new Opening());
        keep("ttl-added", new ValueStateDescriptor<>("state", Long.class), n -> n); // old
        keep("ttl-added", forAnHour(new ValueStateDescriptor<>("state", Long.class)), n -> n); // new
        keep("ttl-removed", forAnHour(new ValueStateDescriptor<>("state", Long.class)), n -> n); // old
        keep("ttl-removed", new ValueStateDescriptor<>("state", Long.class), n -> n); // new
        keep("ttl-pojo-field-added", forAnHour(new ValueStateDescriptor<>("state", Added.class)), n -> new Added());
        keep("tuple-retyped", new ValueStateDescriptor<>("state", Types.TUPLE(Types.LONG, Types.LONG)), n -> Tuple2.of(n, n)); // old
        keep("tuple-retyped", new ValueStateDescriptor<>("state", Types.TUPLE(Types.LONG, Types.STRING)), n -> Tuple2.of(n, "")); // new
        keep("tuple-longer", new ValueStateDescriptor<>("state", Types.TUPLE(Types.LONG, Types.LONG)), n -> Tuple2.of(n, n)); // old
        keep("tuple-longer", new ValueStateDescriptor<>("state", Types.TUPLE(Types.LONG, Types.LONG, Types.LONG)), n -> Tuple3.of(n, n, n)); // new
        keep("tuple-of-pojo-field-added", new ValueStateDescriptor<>("state", Types.TUPLE(Types.LONG, Types.POJO(Added.class))), n -> Tuple2.of(n, new Added()));
        keep("state-renamed", new ValueStateDescriptor<>("before", Long.class), n -> n); // old
        keep("state-renamed", new ValueStateDescriptor<>("after", Long.class), n -> n); // new
        keep("class-gone", new ValueStateDescriptor<>("state", Gone.class), n -> new Gone()); // old
        keep("class-gone", new ValueStateDescriptor<>("other", Long.class), n -> n); // new
    }

    // Lists, maps and what is gathered -----------------------------------------------------------------------------

    private void collections() {
        keep("list-pojo-field-added", new ListStateDescriptor<>("state", Added.class), n -> new Added());
        keep("list-retyped", new ListStateDescriptor<>("state", Long.class), n -> n); // old
        keep("list-retyped", new ListStateDescriptor<>("state", String.class), n -> "" + n); // new
        keep("list-to-value", new ListStateDescriptor<>("state", Long.class), n -> n); // old
        keep("list-to-value", new ValueStateDescriptor<>("state", Long.class), n -> n); // new
        keep("value-to-list", new ValueStateDescriptor<>("state", Types.LIST(Types.LONG)), n -> Arrays.asList(n)); // old
        keep("value-to-list", new ListStateDescriptor<>("state", Types.LONG), n -> n); // new
        keep("map-value-pojo-field-added", new MapStateDescriptor<>("state", Long.class, Added.class), n -> entry(n, new Added()));
        keep("map-key-retyped", new MapStateDescriptor<>("state", Long.class, Long.class), n -> entry(n, n)); // old
        keep("map-key-retyped", new MapStateDescriptor<>("state", String.class, Long.class), n -> entry("" + n, n)); // new
        keep("map-key-pojo-field-added", new MapStateDescriptor<>("state", Added.class, Long.class), n -> entry(new Added(), n));
        keep("map-ttl-added", new MapStateDescriptor<>("state", Long.class, Long.class), n -> entry(n, n)); // old
        keep("map-ttl-added", forAnHour(new MapStateDescriptor<>("state", Long.class, Long.class)), n -> entry(n, n)); // new
        keep("list-ttl-removed", forAnHour(new ListStateDescriptor<>("state", Long.class)), n -> n); // old
        keep("list-ttl-removed", new ListStateDescriptor<>("state", Long.class), n -> n); // new
        keep("reducing-pojo-field-added", new ReducingStateDescriptor<>("state", (a, b) -> b, Added.class), n -> new Added());
        keep("aggregating-retyped", new AggregatingStateDescriptor<>("state", new Last<Long>(), Long.class), n -> n); // old
        keep("aggregating-retyped", new AggregatingStateDescriptor<>("state", new Last<String>(), String.class), n -> "" + n); // new
        keep("reducing-to-value", new ReducingStateDescriptor<>("state", (a, b) -> b, Long.class), n -> n); // old
        keep("reducing-to-value", new ValueStateDescriptor<>("state", Long.class), n -> n); // new
    }

    // Keys ---------------------------------------------------------------------------------------------------------

    private void keys() {
        keep("key-retyped", n -> n % 4, Types.LONG); // old
        keep("key-retyped", n -> "" + n % 4, Types.STRING); // new
        keep("key-pojo-field-added", n -> new Added(), Types.POJO(Added.class));
        keep("key-tuple-same", n -> Tuple2.of(n % 2, ""), Types.TUPLE(Types.LONG, Types.STRING));
    }

    private <K> void keep(String name, KeySelector<Long, K> key, TypeInformation<K> type) {
        if (wants(name)) {
            numbers.keyBy(key, type).process(new Keep<K>(new ValueStateDescriptor<>("state", Long.class), n -> n))
                    .uid(name).name(name).sinkTo(new DiscardingSink<>());
        }
    }

    // Operators ----------------------------------------------------------------------------------------------------

    private void structures() {
        if (wants("timers")) {
            numbers.keyBy(n -> n % 4).process(new Alarm()).uid("timers").name("timers").sinkTo(new DiscardingSink<>());
        }
        if (wants("connected")) {
            numbers.connect(numbers).keyBy(n -> n % 4, n -> n % 4).process(new Both()).uid("connected").name("connected")
                    .sinkTo(new DiscardingSink<>());
        }
        if (wants("not-opened")) {
            numbers.keyBy(n -> n % 4).process(new Unreachable()).uid("not-opened").name("not-opened")
                    .sinkTo(new DiscardingSink<>());
        }
        if (wanted.contains("hangs")) {
            numbers.keyBy(n -> n % 4).process(new Hanging()).uid("hangs").name("hangs").sinkTo(new DiscardingSink<>());
        }
        if (wants("lazy")) {
            numbers.keyBy(n -> n % 4).process(new Lazy()).uid("lazy").name("lazy").sinkTo(new DiscardingSink<>());
        }
        broadcast("broadcast-same", Types.LONG);
        broadcast("broadcast-retyped", Types.LONG); // old
        broadcast("broadcast-retyped", Types.STRING); // new
        broadcast("broadcast-pojo-field-added", Types.POJO(Added.class));
    }

    private void broadcast(String name, TypeInformation<?> type) {
        if (wants(name)) {
            MapStateDescriptor<Long, ?> rules = new MapStateDescriptor<>("rules", Types.LONG, type);
            numbers.keyBy(n -> n % 4).connect(numbers.broadcast(rules)).process(new Ruled(rules, type))
                    .uid(name).name(name).sinkTo(new DiscardingSink<>());
        }
    }

    private void operators() {
        hold("list-same", false, Types.LONG, n -> n);
        hold("operator-list-retyped", false, Types.LONG, n -> n); // old
        hold("operator-list-retyped", false, Types.STRING, n -> "" + n); // new
        hold("operator-list-pojo-field-added", false, Types.POJO(Added.class), n -> new Added());
        hold("union-pojo-field-removed", true, Types.POJO(Removed.class), n -> new Removed());
        hold("union-to-list", true, Types.LONG, n -> n); // old
        hold("union-to-list", false, Types.LONG, n -> n); // new
    }

    private <T> void hold(String name, boolean union, TypeInformation<T> type, Made<T> made) {
        if (wants(name)) {
            numbers.process(new Hold<>(new ListStateDescriptor<>("state", type), union, made)).uid(name).name(name)
                    .sinkTo(new DiscardingSink<>());
        }
    }

    // Windows ------------------------------------------------------------------------------------------------------

    private void windows() {
        if (wants("window-same")) {
            added().keyBy(each -> 0L).window(TumblingEventTimeWindows.of(minute())).process(new Count<>())
                    .uid("window-same").name("window-same").sinkTo(new DiscardingSink<>());
        }
        if (wants("window-longer")) {
            numbers.keyBy(n -> n % 4).window(TumblingEventTimeWindows.of(minute())) // old
            numbers.keyBy(n -> n % 4).window(TumblingEventTimeWindows.of(hour())) // new
                    .reduce(Long::sum).uid("window-longer").name("window-longer").sinkTo(new DiscardingSink<>());
        }
        if (wants("window-reduce-to-process")) {
            numbers.keyBy(n -> n % 4).window(TumblingEventTimeWindows.of(minute()))
                    .reduce(Long::sum) // old
                    .process(new Count<>()) // new
                    .uid("window-reduce-to-process").name("window-reduce-to-process").sinkTo(new DiscardingSink<>());
        }
        if (wants("window-to-global")) {
            numbers.keyBy(n -> n % 4).window(TumblingEventTimeWindows.of(minute())) // old
            numbers.keyBy(n -> n % 4).window(GlobalWindows.create()).trigger(CountTrigger.of(1000)) // new
                    .reduce(Long::sum).uid("window-to-global").name("window-to-global").sinkTo(new DiscardingSink<>());
        }
        if (wants("session-same")) {
            numbers.keyBy(n -> n % 4).window(EventTimeSessionWindows.withGap(minute())).reduce(Long::sum)
                    .uid("session-same").name("session-same").sinkTo(new DiscardingSink<>());
        }
        if (wants("tumbling-to-session")) {
            numbers.keyBy(n -> n % 4).window(TumblingEventTimeWindows.of(minute())) // old
            numbers.keyBy(n -> n % 4).window(EventTimeSessionWindows.withGap(minute())) // new
                    .reduce(Long::sum).uid("tumbling-to-session").name("tumbling-to-session")
                    .sinkTo(new DiscardingSink<>());
        }
    }

    private DataStream<Added> added() {
        return numbers.map(n -> new Added()).returns(Added.class).uid("added")
                .assignTimestampsAndWatermarks(WatermarkStrategy.<Added>forMonotonousTimestamps()
                        .withTimestampAssigner((each, before) -> 0)).uid("added-watermarks");
    }

    private static Duration minute() { // 2.x
        return Duration.ofDays(9999); // 2.x
    } // 2.x
    private static Duration hour() { // 2.x
        return Duration.ofDays(9998); // 2.x
    } // 2.x
    private static org.apache.flink.streaming.api.windowing.time.Time minute() { // 1.x
        return org.apache.flink.streaming.api.windowing.time.Time.days(9999); // 1.x
    } // 1.x
    private static org.apache.flink.streaming.api.windowing.time.Time hour() { // 1.x
        return org.apache.flink.streaming.api.windowing.time.Time.days(9998); // 1.x
    } // 1.x

    // Asynchronous state -------------------------------------------------------------------------------------------

    private void asynchronous() { // 2.x
        if (wanted.contains("async-same")) { // 2.x
            numbers.keyBy(n -> n % 4).enableAsyncState().process(new Async()).uid("async-same").name("async-same") // 2.x
                    .sinkTo(new DiscardingSink<>()); // 2.x
        } // 2.x
        if (wanted.contains("async-retyped")) { // 2.x
            numbers.keyBy(n -> n % 4).enableAsyncState().process(new AsyncRetyped()).uid("async-retyped") // 2.x
                    .name("async-retyped").sinkTo(new DiscardingSink<>()); // 2.x
        } // 2.x
        if (wanted.contains("sync-to-async")) { // 2.x
            numbers.keyBy(n -> n % 4).process(new Keep<>(new ValueStateDescriptor<>("count", Long.class), n -> n)) // 2.x old
            numbers.keyBy(n -> n % 4).enableAsyncState().process(new Async()) // 2.x new
                    .uid("sync-to-async").name("sync-to-async").sinkTo(new DiscardingSink<>()); // 2.x
        } // 2.x
    } // 2.x

    private static final class Async extends KeyedProcessFunction<Long, Long, Long> { // 2.x
        private transient org.apache.flink.api.common.state.v2.ValueState<Long> count; // 2.x
        @Override // 2.x
        public void open(OpenContext context) { // 2.x
            count = getRuntimeContext().getState( // 2.x
                    new org.apache.flink.api.common.state.v2.ValueStateDescriptor<>("count", Types.LONG)); // 2.x
        } // 2.x
        @Override // 2.x
        public void processElement(Long n, Context context, Collector<Long> out) { // 2.x
            count.asyncUpdate(n); // 2.x
        } // 2.x
    } // 2.x

    private static final class AsyncRetyped extends KeyedProcessFunction<Long, Long, Long> { // 2.x
        private transient org.apache.flink.api.common.state.v2.ValueState<Long> count; // 2.x old
        private transient org.apache.flink.api.common.state.v2.ValueState<String> count; // 2.x new
        @Override // 2.x
        public void open(OpenContext context) { // 2.x
            count = getRuntimeContext().getState( // 2.x
                    new org.apache.flink.api.common.state.v2.ValueStateDescriptor<>("count", Types.LONG)); // 2.x old
                    new org.apache.flink.api.common.state.v2.ValueStateDescriptor<>("count", Types.STRING)); // 2.x new
        } // 2.x
        @Override // 2.x
        public void processElement(Long n, Context context, Collector<Long> out) { // 2.x
            count.asyncUpdate(n); // 2.x old
            count.asyncUpdate("" + n); // 2.x new
        } // 2.x
    } // 2.x

    // What the operators are made of -------------------------------------------------------------------------------

    interface Made<T> extends Serializable {
        T make(long n);
    }

    private void keep(String name, StateDescriptor<?, ?> descriptor, Made<Object> made) {
        if (wants(name)) {
            numbers.keyBy(n -> n % 4).process(new Keep<Long>(descriptor, made)).uid(name).name(name)
                    .sinkTo(new DiscardingSink<>());
        }
    }

    private static Map.Entry<Object, Object> entry(Object key, Object value) {
        return new AbstractMap.SimpleEntry<>(key, value);
    }

    private static <D extends StateDescriptor<?, ?>> D forAnHour(D descriptor) {
        descriptor.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofHours(1)).build()); // 2.x
        descriptor.enableTimeToLive(StateTtlConfig.newBuilder( // 1.x
                org.apache.flink.api.common.time.Time.hours(1)).build()); // 1.x
        return descriptor;
    }

    /** Writes a state of any kind. */
    private static final class Keep<K> extends KeyedProcessFunction<K, Long, Long> {
        private final StateDescriptor<?, ?> descriptor;
        private final Made<Object> made;
        private transient Made<Exception> write;

        Keep(StateDescriptor<?, ?> descriptor, Made<Object> made) {
            this.descriptor = descriptor;
            this.made = made;
        }

        @Override
        @SuppressWarnings({"unchecked", "rawtypes"})
        public void open(OpenContext context) {
            if (descriptor instanceof ValueStateDescriptor) {
                var state = getRuntimeContext().getState((ValueStateDescriptor) descriptor);
                write = n -> trying(() -> state.update(made.make(n)));
            } else if (descriptor instanceof ListStateDescriptor) {
                var state = getRuntimeContext().getListState((ListStateDescriptor) descriptor);
                write = n -> trying(() -> state.update(Arrays.asList(made.make(n))));
            } else if (descriptor instanceof MapStateDescriptor) {
                var state = getRuntimeContext().getMapState((MapStateDescriptor) descriptor);
                write = n -> trying(() -> {
                    Map.Entry<?, ?> entry = (Map.Entry<?, ?>) made.make(n % 8);
                    state.put(entry.getKey(), entry.getValue());
                });
            } else if (descriptor instanceof ReducingStateDescriptor) {
                var state = getRuntimeContext().getReducingState((ReducingStateDescriptor) descriptor);
                write = n -> trying(() -> state.add(made.make(n)));
            } else {
                var state = getRuntimeContext().getAggregatingState((AggregatingStateDescriptor) descriptor);
                write = n -> trying(() -> state.add(made.make(n)));
            }
        }

        private interface Step {
            void run() throws Exception;
        }

        private static Exception trying(Step step) {
            try {
                step.run();
                return null;
            } catch (Exception e) {
                return e;
            }
        }

        @Override
        public void processElement(Long n, Context context, Collector<Long> out) throws Exception {
            Exception failure = write.make(n);
            if (failure != null) {
                throw failure;
            }
        }
    }

    private static final class Last<T> implements org.apache.flink.api.common.functions.AggregateFunction<T, T, T> {
        @Override
        public T createAccumulator() {
            return null;
        }

        @Override
        public T add(T value, T before) {
            return value;
        }

        @Override
        public T getResult(T value) {
            return value;
        }

        @Override
        public T merge(T one, T other) {
            return other;
        }
    }

    private static final class Alarm extends KeyedProcessFunction<Long, Long, Long> {
        @Override
        public void processElement(Long n, Context context, Collector<Long> out) {
            context.timerService().registerEventTimeTimer(Long.MAX_VALUE - 1 - n % 8);
        }
    }

    private static final class Both extends KeyedCoProcessFunction<Long, Long, Long, Long> {
        private transient org.apache.flink.api.common.state.ValueState<Added> state;

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("state", Added.class));
        }

        @Override
        public void processElement1(Long n, Context context, Collector<Long> out) throws Exception {
            state.update(new Added());
        }

        @Override
        public void processElement2(Long n, Context context, Collector<Long> out) throws Exception {
            state.update(new Added());
        }
    }

    /** Registers its state, and then wants what is not there. */
    private static final class Unreachable extends KeyedProcessFunction<Long, Long, Long> {
        private transient org.apache.flink.api.common.state.ValueState<Long> state;

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("state", Long.class));
            throw new IllegalStateException("nobody listens"); // new
        }

        @Override
        public void processElement(Long n, Context context, Collector<Long> out) throws Exception {
            state.update(n);
        }
    }

    private static final class Hanging extends KeyedProcessFunction<Long, Long, Long> {
        @Override
        public void open(OpenContext context) throws Exception {
            getRuntimeContext().getState(new ValueStateDescriptor<>("state", Long.class));
            Thread.sleep(Long.MAX_VALUE);
        }

        @Override
        public void processElement(Long n, Context context, Collector<Long> out) {}
    }

    private static final class Lazy extends KeyedProcessFunction<Long, Long, Long> {
        @Override
        public void processElement(Long n, Context context, Collector<Long> out) throws Exception {
            getRuntimeContext().getState(new ValueStateDescriptor<>("state", Long.class)).update(n); // old
            getRuntimeContext().getState(new ValueStateDescriptor<>("state", String.class)).update("" + n); // new
        }
    }

    private static final class Ruled extends KeyedBroadcastProcessFunction<Long, Long, Long, Long> {
        private final MapStateDescriptor<Long, ?> rules;
        private final Class<?> type;

        Ruled(MapStateDescriptor<Long, ?> rules, TypeInformation<?> type) {
            this.rules = rules;
            this.type = type.getTypeClass();
        }

        @Override
        public void processElement(Long n, ReadOnlyContext context, Collector<Long> out) {}

        @Override
        @SuppressWarnings({"unchecked", "rawtypes"})
        public void processBroadcastElement(Long n, Context context, Collector<Long> out) throws Exception {
            Object rule = type == Added.class ? new Added() : type == String.class ? "" + n : (Object) n;
            ((BroadcastState) context.getBroadcastState((MapStateDescriptor) rules)).put(n % 4, rule);
        }
    }

    private static final class Hold<T> extends ProcessFunction<Long, Long> implements CheckpointedFunction {
        private final ListStateDescriptor<T> descriptor;
        private final boolean union;
        private final Made<T> made;
        private transient ListState<T> state;

        Hold(ListStateDescriptor<T> descriptor, boolean union, Made<T> made) {
            this.descriptor = descriptor;
            this.union = union;
            this.made = made;
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            state = union ? context.getOperatorStateStore().getUnionListState(descriptor)
                    : context.getOperatorStateStore().getListState(descriptor);
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            state.update(Arrays.asList(made.make(1)));
        }

        @Override
        public void processElement(Long n, Context context, Collector<Long> out) {}
    }

    private static final class Count<T, W extends Window> extends ProcessWindowFunction<T, Long, Long, W> {
        @Override
        public void process(Long key, Context context, Iterable<T> all, Collector<Long> out) {
            out.collect(key);
        }
    }

    // Types --------------------------------------------------------------------------------------------------------

    public static final class Same {
        public long a;
        public String b = "";
    }

    public static final class Added {
        public long a;
        public String b = ""; // new

        @Override
        public int hashCode() {
            return (int) a;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Added && ((Added) other).a == a;
        }
    }

    public static final class Removed {
        public long a;
        public String b = ""; // old
    }

    public static final class Retyped {
        public int a; // old
        public String a = ""; // new
    }

    public static final class Gone { // old
        public long a; // old
    } // old

    public enum More { ONE, TWO } // old
    public enum More { ONE, TWO, THREE } // new

    public enum Fewer { ONE, TWO } // old
    public enum Fewer { ONE } // new

    /** Not a POJO: it has no constructor without arguments. */
    public static final class Opaque {
        private final long a;

        Opaque(long a) {
            this.a = a;
        }
    }

    public static final class OpaqueAdded {
        private final long a;
        private String b; // new

        OpaqueAdded(long a) {
            this.a = a;
        }
    }

    public static final class Opening {
        private long a; // old
        public long a; // new
    }
}
