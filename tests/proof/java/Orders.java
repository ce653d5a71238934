import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AbstractRichFunction;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.OpenContext; // [1.19+]
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.AggregatingState;
import org.apache.flink.api.common.state.AggregatingStateDescriptor;
import org.apache.flink.api.common.state.BroadcastState;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ReducingState;
import org.apache.flink.api.common.state.ReducingStateDescriptor;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration; // [1.18]
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.co.KeyedBroadcastProcessFunction;
import org.apache.flink.streaming.api.functions.sink.DiscardingSink; // [1.18]
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink; // [1.19+]
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.GlobalWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.triggers.CountTrigger;
import org.apache.flink.streaming.api.windowing.windows.Window;
import org.apache.flink.util.Collector;

/**
 * A line of operators, one for each argument: {@code keep uid=count case=pojo-field-added}. What they count goes to files
 * {@code OUT/JOB-LABEL.txt}, so that it shows whether a restored job counts on.
 *
 * <p>Lines that end with a mark are only there in some versions: {@code [old]} and {@code [new]}, and versions of Flink.
 */
public final class Orders {
    private static final int KEYS = 4;

    private final StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    private final String out;
    private DataStream<Long> numbers;

    private Orders(String out) {
        this.out = out;
    }

    public static void main(String[] args) throws Exception {
        Orders orders = new Orders(args[0]);
        for (String step : Arrays.asList(args).subList(1, args.length)) {
            orders.add(new Step(step));
        }
        orders.env.execute();
    }

    /** The words of an argument. */
    private static final class Step {
        final String kind;
        final Map<String, String> given = new HashMap<>();

        Step(String text) {
            String[] words = text.split(" ");
            kind = words[0];
            for (String word : Arrays.asList(words).subList(1, words.length)) {
                int sign = word.indexOf('=');
                given.put(word.substring(0, sign), word.substring(sign + 1));
            }
        }

        String get(String name, String otherwise) {
            return given.getOrDefault(name, otherwise);
        }
    }

    private void add(Step step) {
        switch (step.kind) {
            case "env":
                env.setMaxParallelism(Integer.parseInt(step.get("max", "128")));
                return;
            case "source":
                numbers = source(step);
                return;
            case "map":
                numbers = set(numbers.map(new Same()).returns(Types.LONG), step);
                return;
            case "keep":
                numbers = set(keep(step), step);
                return;
            case "window":
                numbers = window(step);
                return;
            case "hold":
                numbers = set(numbers.process(new Hold(out, step.get("case", "list"))).returns(Types.LONG), step);
                return;
            case "broadcast":
                MapStateDescriptor<Long, ?> rules = Ruled.rules(step.get("case", "long"));
                numbers = set(numbers.keyBy(n -> n % KEYS).connect(numbers.broadcast(rules))
                        .process(new Ruled(out, step.get("case", "long"))).returns(Types.LONG), step);
                return;
            case "sink":
                numbers.sinkTo(new DiscardingSink<>()).uid(step.get("uid", "sink")); // [1.19+]
                numbers.addSink(new DiscardingSink<>()).uid(step.get("uid", "sink")); // [1.18]
                return;
            case "sink-without-uid":
                numbers.sinkTo(new DiscardingSink<>()); // [1.19+]
                numbers.addSink(new DiscardingSink<>()); // [1.18]
                return;
            default:
                throw new IllegalArgumentException(step.kind);
        }
    }

    private static SingleOutputStreamOperator<Long> set(SingleOutputStreamOperator<Long> made, Step step) {
        if (step.given.containsKey("uid")) {
            made = made.uid(step.get("uid", ""));
        }
        if (step.given.containsKey("hash")) {
            made = made.setUidHash(step.get("hash", ""));
        }
        if (step.given.containsKey("name")) {
            made = made.name(step.get("name", ""));
        }
        if (step.given.containsKey("parallelism")) {
            made = made.setParallelism(Integer.parseInt(step.get("parallelism", "")));
        }
        if (step.given.containsKey("max")) {
            made = made.setMaxParallelism(Integer.parseInt(step.get("max", "")));
        }
        return step.get("chain", "on").equals("off") ? made.disableChaining() : made;
    }

    // Sources ------------------------------------------------------------------------------------------------------

    private DataStream<Long> source(Step step) {
        SingleOutputStreamOperator<Long> made;
        if (step.get("kind", "sequence").equals("files")) {
            FileSource<String> files = FileSource.forRecordStreamFormat(new TextLineInputFormat(),
                    new org.apache.flink.core.fs.Path(step.get("from", ""))).monitorContinuously(Duration.ofSeconds(1)).build();
            SingleOutputStreamOperator<String> lines =
                    env.fromSource(files, WatermarkStrategy.noWatermarks(), step.get("name", "numbers"));
            if (step.given.containsKey("uid")) {
                lines = lines.uid(step.get("uid", ""));
            }
            made = lines.map(Long::parseLong).returns(Types.LONG);
        } else {
            SingleOutputStreamOperator<Long> sequence =
                    env.fromSequence(0, Long.parseLong(step.get("to", "" + Long.MAX_VALUE))).name(step.get("name", "numbers"));
            made = step.given.containsKey("uid") ? sequence.uid(step.get("uid", "")) : sequence;
            made = made.map(new Slowly()).returns(Types.LONG);
        }
        return step.given.containsKey("uid") ? made.uid(step.get("uid", "") + "-slow") : made;
    }

    private static final class Slowly implements MapFunction<Long, Long> {
        @Override
        public Long map(Long number) throws InterruptedException {
            Thread.sleep(10);
            return number;
        }
    }

    private static final class Same implements MapFunction<Long, Long> {
        @Override
        public Long map(Long number) {
            return number;
        }
    }

    // Keyed state --------------------------------------------------------------------------------------------------

    private SingleOutputStreamOperator<Long> keep(Step step) {
        Keep<Object> keep = new Keep<>(out, step.get("log", "count"), step.get("case", "long"));
        keep.timers = step.get("timers", "no").equals("yes");
        keep.late = step.get("late", "no").equals("yes");
        return keyed(step.get("key", "long")).process(keep).returns(Types.LONG);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private KeyedStream<Long, Object> keyed(String key) {
        KeySelector selector;
        TypeInformation type;
        switch (key) {
            case "string":
                selector = (KeySelector<Long, String>) n -> "" + n % KEYS;
                type = Types.STRING;
                break;
            case "pojo":
                selector = (KeySelector<Long, KeyAdded>) n -> new KeyAdded(n % KEYS);
                type = Types.POJO(KeyAdded.class);
                break;
            default:
                selector = (KeySelector<Long, Long>) n -> n % KEYS;
                type = Types.LONG;
        }
        return numbers.keyBy(selector, type);
    }

    interface Write extends Serializable {
        Object apply(long count);
    }

    interface Read extends Serializable {
        long apply(Object value);
    }

    interface Get {
        Object get() throws Exception;
    }

    interface Put {
        void put(Object value) throws Exception;
    }

    /** A state that holds a count in some shape. */
    private static final class Cell implements Serializable {
        final StateDescriptor<?, ?> descriptor;
        final Write write;
        final Read read;
        transient Get get;
        transient Put put;

        Cell(StateDescriptor<?, ?> descriptor, Write write, Read read) {
            this.descriptor = descriptor;
            this.write = write;
            this.read = read;
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        void open(AbstractRichFunction owner) {
            if (descriptor instanceof ValueStateDescriptor) {
                ValueState<Object> state = owner.getRuntimeContext().getState((ValueStateDescriptor) descriptor);
                get = state::value;
                put = state::update;
            } else if (descriptor instanceof ListStateDescriptor) {
                ListState<Object> state = owner.getRuntimeContext().getListState((ListStateDescriptor) descriptor);
                get = () -> {
                    Iterable<Object> all = state.get();
                    return all != null && all.iterator().hasNext() ? all.iterator().next() : null;
                };
                put = value -> state.update(Arrays.asList(value));
            } else if (descriptor instanceof MapStateDescriptor) {
                MapState<Object, Object> state = owner.getRuntimeContext().getMapState((MapStateDescriptor) descriptor);
                get = () -> state.isEmpty() ? null : state.entries().iterator().next();
                put = value -> state.put(((Map.Entry<?, ?>) value).getKey(), ((Map.Entry<?, ?>) value).getValue());
            } else if (descriptor instanceof ReducingStateDescriptor) {
                ReducingState<Object> state =
                        owner.getRuntimeContext().getReducingState((ReducingStateDescriptor) descriptor);
                get = state::get;
                put = state::add;
            } else {
                AggregatingState<Object, Object> state =
                        owner.getRuntimeContext().getAggregatingState((AggregatingStateDescriptor) descriptor);
                get = state::get;
                put = state::add;
            }
        }

        /** Counts one more, and returns how many there are. */
        long next() throws Exception {
            Object found = get.get();
            long count = (found == null ? 0 : read.apply(found)) + 1;
            put.put(write.apply(count));
            return count;
        }

        Cell forHours(int hours) {
            descriptor.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofHours(hours)).build()); // [2.x]
            descriptor.enableTimeToLive(StateTtlConfig.newBuilder( // [1.x]
                    org.apache.flink.api.common.time.Time.hours(hours)).build()); // [1.x]
            return this;
        }
    }

    private static <T> Cell value(String name, TypeInformation<T> type, Write write, Read read) {
        return new Cell(new ValueStateDescriptor<>(name, type), write, read);
    }

    private static <T> Cell list(TypeInformation<T> type, Write write, Read read) {
        return new Cell(new ListStateDescriptor<>("state", type), write, read);
    }

    private static <K, V> Cell map(TypeInformation<K> key, TypeInformation<V> value, Write write, Read read) {
        return new Cell(new MapStateDescriptor<>("state", key, value), write, read);
    }

    private static Cell cell(String name) {
        switch (name) {
            case "long":
                return value("state", Types.LONG, n -> n, v -> (Long) v);
            case "other":
                return value("other", Types.LONG, n -> n, v -> (Long) v);
            case "string":
                return value("state", Types.STRING, n -> "" + n, v -> Long.parseLong((String) v));
            case "int":
                return value("state", Types.INT, n -> (int) n, v -> (Integer) v);
            case "list":
                return list(Types.LONG, n -> n, v -> (Long) v);
            case "list-of-strings":
                return list(Types.STRING, n -> "" + n, v -> Long.parseLong((String) v));
            case "list-of-pojos":
                return list(Types.POJO(Added.class), n -> new Added(n), v -> ((Added) v).count);
            case "map":
                return map(Types.LONG, Types.LONG, n -> Map.entry(0L, n), v -> (Long) ((Map.Entry<?, ?>) v).getValue());
            case "map-by-string":
                return map(Types.STRING, Types.LONG, n -> Map.entry("0", n), v -> (Long) ((Map.Entry<?, ?>) v).getValue());
            case "map-to-pojo":
                return map(Types.LONG, Types.POJO(Added.class), n -> Map.entry(0L, new Added(n)),
                        v -> ((Added) ((Map.Entry<?, ?>) v).getValue()).count);
            case "map-by-pojo":
                return map(Types.POJO(KeyAdded.class), Types.LONG, n -> Map.entry(new KeyAdded(0), n),
                        v -> (Long) ((Map.Entry<?, ?>) v).getValue());
            case "reducing":
                return new Cell(new ReducingStateDescriptor<>("state", (a, b) -> b, Types.LONG), n -> n, v -> (Long) v);
            case "aggregating":
                return new Cell(new AggregatingStateDescriptor<>("state", new Newest(), Types.LONG), n -> n, v -> (Long) v);
            case "ttl":
                return cell("long").forHours(1);
            case "ttl-longer":
                return cell("long").forHours(2);
            case "list-ttl":
                return cell("list").forHours(1);
            case "map-ttl":
                return cell("map").forHours(1);
            case "tuple":
                return value("state", Types.TUPLE(Types.LONG, Types.LONG), n -> Tuple2.of(n, n), v -> ((Tuple2<Long, ?>) v).f0);
            case "tuple-longer":
                return value("state", Types.TUPLE(Types.LONG, Types.LONG, Types.LONG), n -> Tuple3.of(n, n, n),
                        v -> ((Tuple3<Long, ?, ?>) v).f0);
            default:
                return name.startsWith("avro") ? avro(name) : changing(name);
        }
    }

    /** States of classes that differ from one version to the next. */
    private static Cell changing(String name) {
        switch (name) {
            case "pojo-same":
                return value("state", Types.POJO(Kept.class), n -> new Kept(n), v -> ((Kept) v).count);
            case "pojo-field-added":
                return value("state", Types.POJO(Added.class), n -> new Added(n), v -> ((Added) v).count);
            case "pojo-field-removed":
                return value("state", Types.POJO(Removed.class), n -> new Removed(n), v -> ((Removed) v).count);
            case "pojo-field-retyped":
                return value("state", Types.POJO(Retyped.class), n -> new Retyped(n), v -> ((Retyped) v).count);
            case "pojo-field-renamed":
                return value("state", Types.POJO(FieldRenamed.class), n -> new FieldRenamed(n), v -> ((FieldRenamed) v).count());
            case "pojo-renamed":
                return value("state", Types.POJO(Before.class), n -> new Before(n), v -> ((Before) v).count); // [old]
                return value("state", Types.POJO(After.class), n -> new After(n), v -> ((After) v).count); // [new]
            case "pojo-nested":
                return value("state", Types.POJO(Outer.class), n -> new Outer(n), v -> ((Outer) v).inner.count);
            case "pojo-ttl":
                return changing("pojo-field-added").forHours(1);
            case "pojo-to-kryo":
                return value("state", TypeInformation.of(Closing.class), n -> new Closing(n), v -> ((Closing) v).count);
            case "kryo-to-pojo":
                return value("state", TypeInformation.of(Opening.class), n -> new Opening(n), v -> ((Opening) v).count);
            case "kryo-same":
                return value("state", Types.GENERIC(Opaque.class), n -> new Opaque(n), v -> ((Opaque) v).count);
            case "kryo-field-added":
                return value("state", Types.GENERIC(OpaqueAdded.class), n -> new OpaqueAdded(n), v -> ((OpaqueAdded) v).count);
            case "kryo-rich":
                return value("state", Types.GENERIC(Rich.class), n -> new Rich(n), v -> ((Rich) v).count());
            case "enum-constant-added":
                return value("state", Types.TUPLE(Types.LONG, Types.ENUM(More.class)), n -> Tuple2.of(n, More.ONE),
                        v -> ((Tuple2<Long, More>) v).f1 == More.ONE ? ((Tuple2<Long, More>) v).f0 : -1000);
            case "enum-constant-removed":
                return value("state", Types.TUPLE(Types.LONG, Types.ENUM(Fewer.class)), n -> Tuple2.of(n, Fewer.ONE),
                        v -> ((Tuple2<Long, Fewer>) v).f1 == Fewer.ONE ? ((Tuple2<Long, Fewer>) v).f0 : -1000);
            case "enum-reordered":
                return value("state", Types.TUPLE(Types.LONG, Types.ENUM(Turned.class)), n -> Tuple2.of(n, Turned.ONE),
                        v -> ((Tuple2<Long, Turned>) v).f1 == Turned.ONE ? ((Tuple2<Long, Turned>) v).f0 : -1000);
            default:
                throw new IllegalArgumentException(name);
        }
    }

    /** Generic Avro records; by reflection, since Avro is no part of Flink. */
    private static Cell avro(String name) {
        String fields = "{\"name\":\"count\",\"type\":\"long\"}";
        switch (name) {
            case "avro-field-added":
                fields += ",{\"name\":\"note\",\"type\":\"string\",\"default\":\"\"}";
                break;
            case "avro-field-added-without-default":
                fields += ",{\"name\":\"note\",\"type\":\"string\"}";
                break;
            case "avro-int":
                fields = "{\"name\":\"count\",\"type\":\"int\"}";
                break;
            case "avro-string":
                fields = "{\"name\":\"count\",\"type\":\"string\"}";
                break;
            default:
        }
        return avroOf("{\"type\":\"record\",\"name\":\"Order\",\"fields\":[" + fields + "]}", fields.contains("\"int\""),
                fields.contains("note"));
    }

    private static Cell avroOf(String schema, boolean narrow, boolean noted) {
        Write write = n -> Avro.record(schema, narrow ? (Object) (int) n : schema.contains("count\",\"type\":\"string")
                ? "" + n : (Object) n, noted);
        return new Cell(new ValueStateDescriptor<>("state", Avro.type(schema)), write,
                v -> Long.parseLong(Avro.call(v, "get", String.class, "count").toString()));
    }

    /** As much of Avro as is needed. */
    private static final class Avro {
        private static final String PACKAGE = "org.apache.flink.avro.shaded.org.apache.avro.";

        static Object call(Object of, String method, Class<?> type, Object argument) {
            try {
                return of.getClass().getMethod(method, type).invoke(of, argument);
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }

        private static Class<?> named(String name) throws ClassNotFoundException {
            return Class.forName(name, true, Thread.currentThread().getContextClassLoader());
        }

        private static Object schema(String text) throws ReflectiveOperationException {
            return call(named(PACKAGE + "Schema$Parser").getConstructor().newInstance(), "parse", String.class, text);
        }

        static Object record(String schema, Object count, boolean noted) {
            try {
                Object record = named(PACKAGE + "generic.GenericData$Record").getConstructor(named(PACKAGE + "Schema"))
                        .newInstance(schema(schema));
                record.getClass().getMethod("put", String.class, Object.class).invoke(record, "count", count);
                if (noted) {
                    record.getClass().getMethod("put", String.class, Object.class).invoke(record, "note", "new");
                }
                return record;
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }

        @SuppressWarnings("unchecked")
        static TypeInformation<Object> type(String schema) {
            try {
                return (TypeInformation<Object>) named("org.apache.flink.formats.avro.typeutils.GenericRecordAvroTypeInfo")
                        .getConstructor(named(PACKAGE + "Schema")).newInstance(schema(schema));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** Counts by key, in all of its states. */
    private static final class Keep<K> extends KeyedProcessFunction<K, Long, Long> {
        private final String out;
        private final String label;
        private final List<Cell> cells = new ArrayList<>();
        boolean timers;
        boolean late;

        Keep(String out, String label, String cases) {
            this.out = out;
            this.label = label;
            for (String name : cases.split("\\+")) {
                cells.add(cell(name));
            }
        }

        @Override
        public void open(OpenContext context) { // [1.19+]
        public void open(Configuration parameters) { // [1.18]
            if (!late) {
                cells.forEach(each -> each.open(this));
            }
        }

        @Override
        public void processElement(Long n, Context context, Collector<Long> collector) throws Exception {
            if (cells.get(0).get == null) {
                cells.forEach(each -> each.open(this));
            }
            if (timers) {
                context.timerService().registerEventTimeTimer(Long.MAX_VALUE - 1 - n % 8);
            }
            long count = cells.get(0).next();
            for (Cell further : cells.subList(1, cells.size())) {
                further.next();
            }
            tell(this, out, label, n % KEYS, count);
            collector.collect(n);
        }
    }

    private static final class Newest implements AggregateFunction<Long, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(Long value, Long before) {
            return value;
        }

        @Override
        public Long getResult(Long value) {
            return value;
        }

        @Override
        public Long merge(Long one, Long other) {
            return Math.max(one, other);
        }
    }

    private static void tell(AbstractRichFunction who, String out, String label, Object key, long count) throws IOException {
        Object job = who.getRuntimeContext().getJobInfo().getJobId(); // [1.19+]
        Object job = who.getRuntimeContext().getJobId(); // [1.18]
        Path file = Paths.get(out, job + "-" + label + ".txt");
        byte[] line = (key + " " + count + "\n").getBytes(StandardCharsets.UTF_8);
        Files.write(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    // Windows ------------------------------------------------------------------------------------------------------

    private DataStream<Long> window(Step step) {
        KeyedStream<Tuple2<Long, Long>, Long> keyed = numbers
                .map(n -> Tuple2.of(n % KEYS, 1L)).returns(Types.TUPLE(Types.LONG, Types.LONG)).uid("ones")
                .assignTimestampsAndWatermarks(WatermarkStrategy.<Tuple2<Long, Long>>forMonotonousTimestamps()
                        .withTimestampAssigner((each, before) -> 1)).uid("timestamps")
                .keyBy(each -> each.f0);
        SingleOutputStreamOperator<Tuple2<Long, Long>> made;
        switch (step.get("kind", "tumbling")) {
            case "session":
                made = keyed.window(EventTimeSessionWindows.withGap(days(step))).trigger(CountTrigger.of(1)).reduce(Orders::add);
                break;
            case "global":
                made = keyed.window(GlobalWindows.create()).trigger(CountTrigger.of(1)).reduce(Orders::add);
                break;
            case "all":
                made = keyed.window(TumblingEventTimeWindows.of(days(step))).trigger(CountTrigger.of(1))
                        .process(new Newly<>());
                break;
            default:
                made = keyed.window(TumblingEventTimeWindows.of(days(step))).trigger(CountTrigger.of(1)).reduce(Orders::add);
        }
        if (step.given.containsKey("uid")) {
            made = made.uid(step.get("uid", ""));
        }
        return made.returns(Types.TUPLE(Types.LONG, Types.LONG)).map(new Told(out)).uid("told");
    }

    private static Tuple2<Long, Long> add(Tuple2<Long, Long> one, Tuple2<Long, Long> other) {
        return Tuple2.of(one.f0, one.f1 + other.f1);
    }

    private static Duration days(Step step) { // [2.x]
        return Duration.ofDays(Long.parseLong(step.get("days", "9999"))); // [2.x]
    } // [2.x]
    private static org.apache.flink.streaming.api.windowing.time.Time days(Step step) { // [1.x]
        return org.apache.flink.streaming.api.windowing.time.Time.days(Long.parseLong(step.get("days", "9999"))); // [1.x]
    } // [1.x]

    private static final class Newly<W extends Window> extends
            org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction<Tuple2<Long, Long>, Tuple2<Long, Long>, Long, W> {
        @Override
        public void process(Long key, Context context, Iterable<Tuple2<Long, Long>> all, Collector<Tuple2<Long, Long>> to) {
            long count = 0;
            for (Tuple2<Long, Long> ignored : all) {
                count++;
            }
            to.collect(Tuple2.of(key, count));
        }
    }

    private static final class Told extends RichMapFunction<Tuple2<Long, Long>, Long> {
        private final String out;

        Told(String out) {
            this.out = out;
        }

        @Override
        public Long map(Tuple2<Long, Long> found) throws Exception {
            tell(this, out, "count", found.f0, found.f1);
            return found.f0;
        }
    }

    // State that is not keyed --------------------------------------------------------------------------------------

    private static final class Hold extends ProcessFunction<Long, Long> implements CheckpointedFunction {
        private final String out;
        private final String how;
        private transient ListState<Object> state;
        private long count;

        Hold(String out, String how) {
            this.out = out;
            this.how = how;
        }

        @Override
        @SuppressWarnings({"unchecked", "rawtypes"})
        public void initializeState(FunctionInitializationContext context) throws Exception {
            TypeInformation type = how.equals("strings") ? Types.STRING : how.equals("pojos") ? Types.POJO(Added.class) : Types.LONG;
            ListStateDescriptor<Object> descriptor = new ListStateDescriptor<>("held", type);
            state = how.equals("union") ? context.getOperatorStateStore().getUnionListState(descriptor)
                    : context.getOperatorStateStore().getListState(descriptor);
            for (Object each : state.get()) {
                count += each instanceof Added ? ((Added) each).count : Long.parseLong(each.toString());
            }
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            Object held = how.equals("strings") ? "" + count : how.equals("pojos") ? new Added(count) : (Object) count;
            state.update(Arrays.asList(held));
        }

        @Override
        public void processElement(Long n, Context context, Collector<Long> collector) throws Exception {
            tell(this, out, "count", "all", ++count);
            collector.collect(n);
        }
    }

    private static final class Ruled extends KeyedBroadcastProcessFunction<Long, Long, Long, Long> {
        private final String out;
        private final String how;

        Ruled(String out, String how) {
            this.out = out;
            this.how = how;
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        static MapStateDescriptor<Long, ?> rules(String how) {
            TypeInformation type = how.equals("strings") ? Types.STRING : how.equals("pojos") ? Types.POJO(Added.class) : Types.LONG;
            return new MapStateDescriptor("rules", Types.LONG, type);
        }

        @Override
        public void processElement(Long n, ReadOnlyContext context, Collector<Long> collector) {
            collector.collect(n);
        }

        @Override
        @SuppressWarnings({"unchecked", "rawtypes"})
        public void processBroadcastElement(Long n, Context context, Collector<Long> collector) throws Exception {
            BroadcastState<Long, Object> state = context.getBroadcastState((MapStateDescriptor) rules(how));
            Object found = state.get(0L);
            long count = 1 + (found == null ? 0 : found instanceof Added ? ((Added) found).count : Long.parseLong(found.toString()));
            state.put(0L, how.equals("strings") ? "" + count : how.equals("pojos") ? new Added(count) : (Object) count);
            tell(this, out, "count", "all", count);
        }
    }

    // Types --------------------------------------------------------------------------------------------------------

    public static final class Kept {
        public long count;
        public String note = "";

        public Kept() {}

        Kept(long count) {
            this.count = count;
        }
    }

    public static final class Added {
        public long count;
        public String note = ""; // [new]

        public Added() {}

        Added(long count) {
            this.count = count;
        }
    }

    public static final class KeyAdded {
        public long key;
        public String note = ""; // [new]

        public KeyAdded() {}

        KeyAdded(long key) {
            this.key = key;
        }

        @Override
        public int hashCode() {
            return (int) key;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof KeyAdded && ((KeyAdded) other).key == key;
        }
    }

    public static final class Removed {
        public long count;
        public String note = "gone"; // [old]

        public Removed() {}

        Removed(long count) {
            this.count = count;
        }
    }

    public static final class Retyped {
        public long count; // [old]
        public int count; // [new]

        public Retyped() {}

        Retyped(long count) {
            this.count = (int) count;
        }
    }

    public static final class FieldRenamed {
        public long before; // [old]
        public long after; // [new]

        public FieldRenamed() {}

        FieldRenamed(long count) {
            before = count; // [old]
            after = count; // [new]
        }

        long count() {
            return before; // [old]
            return after; // [new]
        }
    }

    public static final class Before { // [old]
        public long count; // [old]

        public Before() {} // [old]

        Before(long count) { // [old]
            this.count = count; // [old]
        } // [old]
    } // [old]

    public static final class After { // [new]
        public long count; // [new]

        public After() {} // [new]

        After(long count) { // [new]
            this.count = count; // [new]
        } // [new]
    } // [new]

    public static final class Outer {
        public Added inner;

        public Outer() {}

        Outer(long count) {
            inner = new Added(count);
        }
    }

    /** A POJO that becomes none. */
    public static final class Closing {
        public long count; // [old]
        final long count; // [new]

        public Closing() { // [old]
        } // [old]

        Closing(long count) {
            this.count = count;
        }
    }

    /** None that becomes a POJO. */
    public static final class Opening {
        long count; // [old]
        public long count; // [new]

        public Opening() {}

        Opening(long count) {
            this.count = count;
        }
    }

    public static final class Opaque {
        private final long count;

        Opaque(long count) {
            this.count = count;
        }
    }

    public static final class OpaqueAdded {
        private String added = "x"; // [new]
        private final long count;

        OpaqueAdded(long count) {
            this.count = count;
        }
    }

    /** As people's classes are. */
    public static final class Rich {
        private final String text;
        private final List<Long> list = new ArrayList<>();
        private final Map<String, Long> map = new HashMap<>();
        private final Opaque inner;
        private final long[] numbers;
        private final java.util.Date date;
        private final Long boxed;
        private final double real;
        private final Turned none = null;

        Rich(long count) {
            text = "" + count;
            list.add(count);
            map.put("count", count);
            inner = new Opaque(count);
            numbers = new long[] {count};
            date = new java.util.Date(count);
            boxed = count;
            real = count;
        }

        long count() {
            boolean same = list.get(0).equals(boxed) && map.get("count").equals(boxed) && inner.count == boxed
                    && numbers[0] == boxed && date.getTime() == boxed && real == boxed && none == null;
            return same ? Long.parseLong(text) : -1000;
        }
    }

    public enum More { ONE, TWO } // [old]
    public enum More { ZERO, ONE, TWO, THREE } // [new]

    public enum Fewer { ZERO, ONE, TWO } // [old]
    public enum Fewer { ONE, TWO } // [new]

    public enum Turned { ONE, TWO } // [old]
    public enum Turned { TWO, ONE } // [new]
}
