package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.config.ConfigResource;

/** What an administrator asks: topics, cluster, configurations. */
final class Admins {
    private Admins() {}

    static ObjectNode createTopic(JsonNode request) throws Exception {
        try (var admin = Admin.create(Json.properties(request))) {
            var topic = new NewTopic(
                    request.get("topic").asText(), Optional.of(request.get("partitions").asInt()), Optional.empty());
            var created = admin.createTopics(List.of(topic));
            created.all().get();
            return Json.object()
                    .put("topic_id", created.topicId(topic.name()).get().toString())
                    .put("partitions", created.numPartitions(topic.name()).get());
        }
    }

    static ObjectNode deleteTopic(JsonNode request) throws Exception {
        try (var admin = Admin.create(Json.properties(request))) {
            admin.deleteTopics(List.of(request.get("topic").asText())).all().get();
            return Json.object();
        }
    }

    static ObjectNode describeTopic(JsonNode request) throws Exception {
        String topic = request.get("topic").asText();
        try (var admin = Admin.create(Json.properties(request))) {
            var description = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            var answer = Json.object().put("topic_id", description.topicId().toString());
            var leaders = answer.putArray("leaders");
            description.partitions().forEach(partition -> leaders.add(partition.leader().id()));
            return answer;
        }
    }

    static ObjectNode describeCluster(JsonNode request) throws Exception {
        try (var admin = Admin.create(Json.properties(request))) {
            var cluster = admin.describeCluster();
            var answer = Json.object().put("cluster_id", cluster.clusterId().get());
            answer.put("controller", cluster.controller().get().id());
            var nodes = answer.putObject("nodes");
            for (Node node : cluster.nodes().get()) {
                nodes.put(node.idString(), node.host() + ":" + node.port());
            }
            return answer;
        }
    }

    /** Name to value of a "topic" or a "broker" (its id as a string). */
    static ObjectNode describeConfigs(JsonNode request) throws Exception {
        var resource = request.hasNonNull("topic")
                ? new ConfigResource(ConfigResource.Type.TOPIC, request.get("topic").asText())
                : new ConfigResource(ConfigResource.Type.BROKER, request.get("broker").asText());
        try (var admin = Admin.create(Json.properties(request))) {
            Map<ConfigResource, org.apache.kafka.clients.admin.Config> found =
                    admin.describeConfigs(List.of(resource)).all().get();
            var answer = Json.object();
            var configs = answer.putObject("configs");
            found.get(resource).entries().forEach(entry -> configs.put(entry.name(), entry.value()));
            return answer;
        }
    }
}
