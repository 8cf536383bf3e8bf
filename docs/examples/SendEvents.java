// JSON events from stdin, one a line, to Kafka: java -cp 'libs/*' SendEvents.java HOST:PORT < events.jsonl
// Needs kafka-clients and jackson-databind in libs. Its default partitioner is the right one, for records with a key.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class SendEvents {
    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "key.serializer", StringSerializer.class, // UTF-8
            "value.serializer", StringSerializer.class,
            "enable.idempotence", true, // retries neither double nor reorder; acks=all comes with it
            "compression.type", "gzip", // what the topics have: the broker need not pack again
            "linger.ms", 5,
            "delivery.timeout.ms", 120_000,
            "max.request.size", 1_048_576);
        AtomicInteger failed = new AtomicInteger();
        ObjectMapper json = new ObjectMapper();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var producer = new KafkaProducer<String, String>(settings)) {
            for (String line; (line = lines.readLine()) != null; ) {
                JsonNode event = json.readTree(line);
                boolean shown = event.get("type").asText().endsWith("impression");
                String key = event.get(event.has("search_id") ? "search_id" : "suggest_id").asText();
                String topic = shown ? "search.impressions" : "search.actions";
                var record = new ProducerRecord<String, String>(topic, null, event.get("ts").asLong(), key, line);
                producer.send(record, (where, error) -> {
                    if (error != null) { // for ever: keep the event, and send the same bytes again later
                        failed.incrementAndGet();
                        System.err.println("not sent: " + error);
                    }
                });
            }
        } // close() waits for what is under way
        System.exit(failed.get() > 0 ? 1 : 0);
    }
}
