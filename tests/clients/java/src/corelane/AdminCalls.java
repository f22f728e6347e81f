package corelane;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListStreamsGroupOffsetsSpec;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RaftVoterEndpoint;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Every method of Admin, called once on "topic" (two partitions, the first led by "broker") and "group". */
final class AdminCalls {
    /** A method's future, or what is wrong before there is one. */
    private interface Call {
        KafkaFuture<?> make() throws Exception;
    }

    private final Map<String, Call> calls = new LinkedHashMap<>();
    private final Admin admin;
    private final String topic;
    private final String group;
    private final int broker;
    private final TopicPartition partition;

    private AdminCalls(Admin admin, JsonNode request) {
        this.admin = admin;
        topic = request.get("topic").asText();
        group = request.get("group").asText();
        broker = request.get("broker").asInt();
        partition = new TopicPartition(topic, 0);
        topics();
        groups();
        placement();
        security();
        transactions();
        cluster();
    }

    /** "outcomes": method to "answered" or the error's name; "methods": those that Admin has. */
    static ObjectNode run(JsonNode request) throws Exception {
        var answer = Json.object();
        var methods = answer.putArray("methods");
        Arrays.stream(Admin.class.getMethods())
                .filter(method -> Modifier.isAbstract(method.getModifiers()))
                .map(Method::getName).distinct().sorted().forEach(methods::add);
        var outcomes = answer.putObject("outcomes");
        try (var admin = Admin.create(Json.properties(request))) {
            for (var call : new AdminCalls(admin, request).calls.entrySet()) {
                outcomes.put(call.getKey(), outcome(call.getValue()));
            }
        }
        return answer;
    }

    private static String outcome(Call call) throws Exception {
        try {
            call.make().get();
            return "answered";
        } catch (ExecutionException failure) {
            return Errors.forException(failure.getCause()).name();
        }
    }

    private void topics() {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        var retention = new AlterConfigOp(new ConfigEntry("retention.ms", "3600000"), AlterConfigOp.OpType.SET);
        calls.put("createTopics", () -> admin.createTopics(List.of(new NewTopic(topic + "-2", 1, (short) 1))).all());
        calls.put("deleteTopics", () -> admin.deleteTopics(List.of(topic + "-2")).all());
        calls.put("listTopics", () -> admin.listTopics().names());
        calls.put("describeTopics", () -> admin.describeTopics(List.of(topic)).allTopicNames());
        calls.put("createPartitions", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all());
        calls.put("deleteRecords", () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(0))).all());
        calls.put("listOffsets", () -> admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp())).all());
        calls.put("describeConfigs", () -> admin.describeConfigs(List.of(resource)).all());
        calls.put("incrementalAlterConfigs",
                () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(retention))).all());
        calls.put("listConfigResources", () -> admin.listConfigResources().all());
        clientMetrics();
        calls.put("describeProducers", () -> admin.describeProducers(List.of(partition)).all());
    }

    @SuppressWarnings({"deprecation", "removal"})
    private void clientMetrics() {
        calls.put("listClientMetricsResources", () -> admin.listClientMetricsResources().all());
    }

    private void groups() {
        var offsets = Map.of(partition, new OffsetAndMetadata(0));
        var stranger = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("nobody")));
        calls.put("alterConsumerGroupOffsets", () -> admin.alterConsumerGroupOffsets(group, offsets).all());
        calls.put("listConsumerGroupOffsets", () -> admin.listConsumerGroupOffsets(group).all());
        calls.put("listGroups", () -> admin.listGroups().all());
        listConsumerGroups();
        calls.put("describeConsumerGroups", () -> admin.describeConsumerGroups(List.of(group)).all());
        calls.put("describeClassicGroups", () -> admin.describeClassicGroups(List.of(group)).all());
        calls.put("removeMembersFromConsumerGroup",
                () -> unlessUnknown(admin.removeMembersFromConsumerGroup(group, stranger).all()));
        calls.put("deleteConsumerGroupOffsets",
                () -> admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all());
        calls.put("alterStreamsGroupOffsets", () -> admin.alterStreamsGroupOffsets(group, offsets).all());
        calls.put("listStreamsGroupOffsets",
                () -> admin.listStreamsGroupOffsets(Map.of(group, new ListStreamsGroupOffsetsSpec())).all());
        calls.put("deleteStreamsGroupOffsets", () -> admin.deleteStreamsGroupOffsets(group, Set.of(partition)).all());
        calls.put("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of(withOffsets("-classic"))).all());
        calls.put("deleteStreamsGroups", () -> admin.deleteStreamsGroups(List.of(withOffsets("-streams"))).all());
        calls.put("deleteShareGroups", () -> admin.deleteShareGroups(List.of(withOffsets("-share"))).all());
        calls.put("describeStreamsGroups", () -> admin.describeStreamsGroups(List.of(group)).all());
        calls.put("describeShareGroups", () -> admin.describeShareGroups(List.of(group)).all());
        calls.put("alterShareGroupOffsets", () -> admin.alterShareGroupOffsets(group, Map.of(partition, 0L)).all());
        calls.put("listShareGroupOffsets",
                () -> admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).all());
        calls.put("deleteShareGroupOffsets", () -> admin.deleteShareGroupOffsets(group, Set.of(topic)).all());
    }

    @SuppressWarnings({"deprecation", "removal"})
    private void listConsumerGroups() {
        calls.put("listConsumerGroups", () -> admin.listConsumerGroups().all());
    }

    /** A group of its own, which can be deleted. */
    private String withOffsets(String suffix) throws Exception {
        admin.alterConsumerGroupOffsets(group + suffix, Map.of(partition, new OffsetAndMetadata(0))).all().get();
        return group + suffix;
    }

    /** That there is no such member is an answer. */
    private static KafkaFuture<?> unlessUnknown(KafkaFuture<Void> future) throws Exception {
        try {
            future.get();
        } catch (ExecutionException failure) {
            if (!(failure.getCause() instanceof UnknownMemberIdException)
                    && !(failure.getCause().getCause() instanceof UnknownMemberIdException)) {
                return future;
            }
        }
        return KafkaFuture.completedFuture(null);
    }

    private void placement() {
        var replica = new TopicPartitionReplica(topic, 0, broker);
        var same = Optional.of(new NewPartitionReassignment(List.of(broker)));
        calls.put("describeLogDirs", () -> admin.describeLogDirs(List.of(broker)).allDescriptions());
        calls.put("describeReplicaLogDirs", () -> admin.describeReplicaLogDirs(List.of(replica)).all());
        calls.put("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(replica, "/somewhere/else")).all());
        calls.put("electLeaders", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).all());
        calls.put("alterPartitionReassignments",
                () -> admin.alterPartitionReassignments(Map.of(partition, same)).all());
        calls.put("listPartitionReassignments", () -> admin.listPartitionReassignments().reassignments());
    }

    private void security() {
        var entry = new AccessControlEntry("User:u", "*", AclOperation.READ, AclPermissionType.ALLOW);
        var pattern = new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL);
        var user = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "u"));
        var rate = new ClientQuotaAlteration.Op("producer_byte_rate", 1000.0);
        var scram = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
        calls.put("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY).values());
        calls.put("createAcls", () -> admin.createAcls(List.of(new AclBinding(pattern, entry))).all());
        calls.put("deleteAcls", () -> admin.deleteAcls(List.of(AclBindingFilter.ANY)).all());
        calls.put("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
        calls.put("alterClientQuotas",
                () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(rate)))).all());
        calls.put("describeUserScramCredentials", () -> admin.describeUserScramCredentials().all());
        calls.put("alterUserScramCredentials", () -> admin.alterUserScramCredentials(
                List.of(new UserScramCredentialUpsertion("u", scram, "secret"))).all());
        calls.put("createDelegationToken", () -> admin.createDelegationToken().delegationToken());
        calls.put("renewDelegationToken", () -> admin.renewDelegationToken(new byte[] {1}).expiryTimestamp());
        calls.put("expireDelegationToken", () -> admin.expireDelegationToken(new byte[] {1}).expiryTimestamp());
        calls.put("describeDelegationToken", () -> admin.describeDelegationToken().delegationTokens());
    }

    private void transactions() {
        var producer = new AbortTransactionSpec(partition, 1L, (short) 0, 0);
        calls.put("listTransactions", () -> admin.listTransactions().all());
        calls.put("describeTransactions", () -> admin.describeTransactions(List.of("t")).all());
        calls.put("fenceProducers", () -> admin.fenceProducers(List.of("t")).all());
        calls.put("forceTerminateTransaction", () -> admin.forceTerminateTransaction("t").result());
        calls.put("abortTransaction", () -> admin.abortTransaction(producer).all());
    }

    private void cluster() {
        var update = Map.of("some.feature", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE));
        var endpoint = Set.of(new RaftVoterEndpoint("CONTROLLER", "localhost", 1));
        calls.put("describeCluster", () -> admin.describeCluster().nodes());
        calls.put("describeFeatures", () -> admin.describeFeatures().featureMetadata());
        calls.put("updateFeatures", () -> admin.updateFeatures(update).all());
        calls.put("describeMetadataQuorum", () -> admin.describeMetadataQuorum().quorumInfo());
        calls.put("addRaftVoter", () -> admin.addRaftVoter(2, Uuid.ONE_UUID, endpoint).all());
        calls.put("removeRaftVoter", () -> admin.removeRaftVoter(2, Uuid.ONE_UUID).all());
        calls.put("unregisterBroker", () -> admin.unregisterBroker(2).all());
    }
}
