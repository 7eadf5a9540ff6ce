package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// RDS and ElastiCache show what stacks deployed, with live properties.

func databaseOperations() map[string]operation {
	return map[string]operation{
		"DescribeDBInstances":       docReads(describeDatabases),
		"DescribeDBParameterGroups": docReads(describeParameterGroups),
		"DescribeDBParameters":      docReads(describeDBParameters),
		"DescribeDBSubnetGroups":    docReads(describeDBSubnetGroups),
		"ListTagsForResource":       docReads(listDatabaseTags),
		"ModifyDBInstance":          docWrites(modifyDatabase),
	}
}

const (
	databaseType       = "AWS::RDS::DBInstance"
	parameterGroupType = "AWS::RDS::DBParameterGroup"
	subnetGroupType    = "AWS::RDS::DBSubnetGroup"
)

func notThere(code, format string, args ...any) *Fail {
	f := fail(code, format, args...)
	f.Status = http.StatusNotFound
	return f
}

// marked cuts a page as RDS and ElastiCache do: Marker, and MaxRecords of 100.
func marked(in props, all []networkItem) ([]networkItem, any, error) {
	return pageOf(in, "Marker", "MaxRecords", 100, 100, all, func(i networkItem) string { return i.id })
}

// asked applies the one name that a request may give.
func asked(all []networkItem, name string, missing *Fail) ([]networkItem, error) {
	if name == "" {
		return all, nil
	}
	for _, i := range all {
		if strings.EqualFold(i.id, name) {
			return []networkItem{i}, nil
		}
	}
	return nil, missing
}

func describeDatabases(c *call, in props) (doc, error) {
	name := in.text("DBInstanceIdentifier")
	all, err := asked(c.items(databaseType), name[strings.LastIndexByte(name, ':')+1:], notThere("DBInstanceNotFound", "DBInstance %s not found.", name))
	if err != nil {
		return nil, err
	}
	for _, f := range in.list("Filters") {
		if f.text("Name") != "db-instance-id" && f.text("Name") != "engine" {
			return nil, fail("InvalidParameterValue", "Unrecognized filter name: %.80s", f.text("Name"))
		}
		all = slices.DeleteFunc(all, func(i networkItem) bool {
			have := i.id
			if f.text("Name") == "engine" {
				have = i.props.text("Engine")
			}
			return !slices.Contains(f.texts("Values"), have)
		})
	}
	list, next, err := marked(in, all)
	if err != nil {
		return nil, err
	}
	var out []doc
	for _, i := range list {
		out = append(out, c.database(i))
	}
	return doc{"DBInstances": items{"DBInstance", out}, "Marker": next}, nil
}

func (c *call) database(i networkItem) doc {
	p := i.props
	out := shape{
		"DBInstanceClass": aText, "Engine": aText, "EngineVersion": aText, "DBName": aText, "AllocatedStorage": aNumber, "MaxAllocatedStorage": aNumber,
		"PreferredBackupWindow": aText, "PreferredMaintenanceWindow": aText, "BackupRetentionPeriod": aNumber, "MultiAZ": aFlag, "AutoMinorVersionUpgrade": aFlag,
		"LicenseModel": aText, "Iops": aNumber, "StorageThroughput": aNumber, "PubliclyAccessible": aFlag, "StorageType": aText, "StorageEncrypted": aFlag,
		"KmsKeyId": aText, "CACertificateIdentifier": aText, "CopyTagsToSnapshot": aFlag, "MonitoringInterval": aNumber, "MonitoringRoleArn": aText,
		"DeletionProtection": aFlag, "AvailabilityZone": aText, "NetworkType": aText, "Timezone": aText,
	}.of(p)
	for name, usual := range map[string]any{
		"MultiAZ": false, "AutoMinorVersionUpgrade": true, "PubliclyAccessible": false, "StorageEncrypted": false, "CopyTagsToSnapshot": false,
		"DeletionProtection": false, "BackupRetentionPeriod": int32(1), "MonitoringInterval": int32(0), "StorageType": "gp2",
	} {
		if out[name] == nil {
			out[name] = usual
		}
	}
	if user := p.text("MasterUsername"); !strings.Contains(user, "{{resolve:") {
		out["MasterUsername"] = opt(user)
	}
	out["DBInstanceIdentifier"], out["DBInstanceStatus"] = i.id, "available"
	out["DBInstanceArn"], out["DbiResourceId"] = c.arn("rds", "db:"+i.id), opt(i.attribute("DbiResourceId"))
	port, _ := props{"Port": i.attribute("Endpoint.Port")}.number("Port")
	out["Endpoint"] = doc{"Address": i.attribute("Endpoint.Address"), "Port": port}
	out["InstanceCreateTime"] = i.created
	out["IAMDatabaseAuthenticationEnabled"], out["PerformanceInsightsEnabled"] = p.flag("EnableIAMDatabaseAuthentication"), p.flag("EnablePerformanceInsights")
	if n, ok := p.number("PerformanceInsightsRetentionPeriod"); ok {
		out["PerformanceInsightsRetentionPeriod"] = n
	}
	if logs := p.texts("EnableCloudwatchLogsExports"); len(logs) > 0 {
		out["EnabledCloudwatchLogsExports"] = logs
	}
	out["VpcSecurityGroups"] = members("VpcSecurityGroupMembership", p.texts("VPCSecurityGroups"), func(s string) doc { return doc{"VpcSecurityGroupId": s, "Status": "active"} })
	out["DBParameterGroups"] = members("DBParameterGroup", p.texts("DBParameterGroupName"), func(s string) doc {
		return doc{"DBParameterGroupName": s, "ParameterApplyStatus": "in-sync"}
	})
	if g, ok := c.thing(subnetGroupType, p.text("DBSubnetGroupName")); ok {
		out["DBSubnetGroup"] = c.dbSubnetGroup(g)
	}
	out["PendingModifiedValues"] = doc{}
	out["TagList"] = items{"Tag", tagDocs(i.tags())}
	return out
}

func members(name string, texts []string, f func(string) doc) items {
	out := items{name: name}
	for _, s := range texts {
		out.list = append(out.list, f(s))
	}
	return out
}

func (c *call) dbSubnetGroup(i networkItem) doc {
	vpc := ""
	subnets := members("Subnet", i.props.texts("SubnetIds"), func(id string) doc {
		zone := ""
		if s, ok := c.thing("AWS::EC2::Subnet", id); ok {
			vpc, zone = s.props.text("VpcId"), s.props.text("AvailabilityZone")
		}
		return doc{"SubnetIdentifier": id, "SubnetAvailabilityZone": doc{"Name": opt(zone)}, "SubnetStatus": "Active"}
	})
	return doc{
		"DBSubnetGroupName": i.id, "DBSubnetGroupDescription": i.props.text("DBSubnetGroupDescription"), "VpcId": opt(vpc), "SubnetGroupStatus": "Complete",
		"DBSubnetGroupArn": c.arn("rds", "subgrp:"+i.id), "Subnets": subnets,
	}
}

func describeDBSubnetGroups(c *call, in props) (doc, error) {
	name := in.text("DBSubnetGroupName")
	all, err := asked(c.items(subnetGroupType), name, notThere("DBSubnetGroupNotFoundFault", "DB subnet group '%s' does not exist.", name))
	if err != nil {
		return nil, err
	}
	list, next, err := marked(in, all)
	var out []doc
	for _, i := range list {
		out = append(out, c.dbSubnetGroup(i))
	}
	return doc{"DBSubnetGroups": items{"DBSubnetGroup", out}, "Marker": next}, err
}

func describeParameterGroups(c *call, in props) (doc, error) {
	name := in.text("DBParameterGroupName")
	all, err := asked(c.items(parameterGroupType), name, notThere("DBParameterGroupNotFound", "DBParameterGroup not found: %s", name))
	if err != nil {
		return nil, err
	}
	list, next, err := marked(in, all)
	var out []doc
	for _, i := range list {
		out = append(out, doc{
			"DBParameterGroupName": i.id, "DBParameterGroupFamily": i.props.text("Family"), "Description": i.props.text("Description"), "DBParameterGroupArn": c.arn("rds", "pg:"+i.id),
		})
	}
	return doc{"DBParameterGroups": items{"DBParameterGroup", out}, "Marker": next}, err
}

// describeDBParameters shows what a group sets; what an engine brings along is
// not known here, so only Source=user is complete.
func describeDBParameters(c *call, in props) (doc, error) {
	name := in.text("DBParameterGroupName")
	g, ok := c.thing(parameterGroupType, name)
	if !ok {
		return nil, notThere("DBParameterGroupNotFound", "DBParameterGroup not found: %s", name)
	}
	values := g.props.sub("Parameters")
	var out []doc
	if source := in.text("Source"); source == "" || source == "user" {
		for _, k := range sortedKeys(values) {
			out = append(out, doc{"ParameterName": k, "ParameterValue": values.text(k), "Source": "user", "IsModifiable": true, "ApplyMethod": "pending-reboot"})
		}
	}
	return doc{"Parameters": items{"Parameter", out}}, nil
}

func listDatabaseTags(c *call, in props) (doc, error) {
	arn := in.text("ResourceName")
	for typeName, prefix := range map[string]string{databaseType: "db:", parameterGroupType: "pg:", subnetGroupType: "subgrp:"} {
		if id, ok := strings.CutPrefix(arn, c.arn("rds", prefix)); ok {
			if i, ok := c.thing(typeName, id); ok {
				return doc{"TagList": items{"Tag", tagDocs(i.tags())}}, nil
			}
		}
	}
	return nil, notThere("DBInstanceNotFound", "DBInstance %s not found.", arn)
}

// modifyDatabase is somebody's hand: the stack will call it drift.
func modifyDatabase(c *call, in props) (doc, error) {
	name := in.text("DBInstanceIdentifier")
	i, ok := c.thing(databaseType, name)
	if !ok {
		return nil, notThere("DBInstanceNotFound", "DBInstance %s not found.", name)
	}
	p := maps.Clone(i.props)
	for _, k := range []string{
		"AllocatedStorage", "DBInstanceClass", "BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow", "MultiAZ", "EngineVersion",
		"AutoMinorVersionUpgrade", "DBParameterGroupName", "MaxAllocatedStorage", "DeletionProtection", "CopyTagsToSnapshot", "MonitoringInterval", "PubliclyAccessible", "StorageType",
	} {
		if v, ok := in[k]; ok {
			p[k] = v
		}
	}
	c.put(databaseType, i.id, p, nil)
	i, _ = c.thing(databaseType, i.id)
	return doc{"DBInstance": c.database(i)}, nil
}

func cacheOperations() map[string]operation {
	return map[string]operation{
		"DescribeCacheClusters":     docReads(describeCaches),
		"DescribeReplicationGroups": docReads(describeReplicationGroups),
		"DescribeCacheSubnetGroups": docReads(describeCacheSubnetGroups),
		"ListTagsForResource":       docReads(listCacheTags),
	}
}

const (
	cacheType       = "AWS::ElastiCache::CacheCluster"
	replicationType = "AWS::ElastiCache::ReplicationGroup"
	cacheSubnetType = "AWS::ElastiCache::SubnetGroup"
)

func cacheShape() shape {
	return shape{
		"CacheNodeType": aText, "Engine": aText, "EngineVersion": aText, "NumCacheNodes": aNumber, "PreferredAvailabilityZone": aText, "PreferredMaintenanceWindow": aText,
		"CacheSubnetGroupName": aText, "AutoMinorVersionUpgrade": aFlag, "SnapshotRetentionLimit": aNumber, "SnapshotWindow": aText, "TransitEncryptionEnabled": aFlag,
		"AtRestEncryptionEnabled": aFlag, "NetworkType": aText, "IpDiscovery": aText, "TransitEncryptionMode": aText,
	}
}

func describeCaches(c *call, in props) (doc, error) {
	name := in.text("CacheClusterId")
	all, err := asked(c.caches(), name, notThere("CacheClusterNotFound", "CacheCluster not found: %s", name))
	if err != nil {
		return nil, err
	}
	if in.flag("ShowCacheClustersNotInReplicationGroups") {
		all = slices.DeleteFunc(all, func(i networkItem) bool { return i.attribute("ReplicationGroupId") != "" })
	}
	list, next, err := marked(in, all)
	if err != nil {
		return nil, err
	}
	var out []doc
	for _, i := range list {
		out = append(out, c.cache(i, in.flag("ShowCacheNodeInfo")))
	}
	return doc{"CacheClusters": items{"CacheCluster", out}, "Marker": next}, nil
}

// caches are the clusters that stand alone and those of replication groups.
func (c *call) caches() []networkItem {
	all := c.items(cacheType)
	for _, g := range c.items(replicationType) {
		for _, id := range replicas(g) {
			member := g
			member.id, member.props = id, maps.Clone(g.props)
			member.props["NumCacheNodes"] = "1"
			member.attributes = map[string]string{"ReplicationGroupId": g.id}
			all = append(all, member)
		}
	}
	slices.SortFunc(all, func(a, b networkItem) int { return strings.Compare(a.id, b.id) })
	return all
}

func (c *call) cache(i networkItem, nodes bool) doc {
	out := cacheShape().of(i.props)
	out["CacheClusterId"], out["CacheClusterStatus"], out["CacheClusterCreateTime"] = i.id, "available", i.created
	out["ARN"], out["ReplicationGroupId"] = c.arn("elasticache", "cluster:"+i.id), opt(i.attribute("ReplicationGroupId"))
	out["SecurityGroups"] = members("member", slices.Concat(i.props.texts("VpcSecurityGroupIds"), i.props.texts("SecurityGroupIds")), func(s string) doc {
		return doc{"SecurityGroupId": s, "Status": "active"}
	}).list
	out["CacheParameterGroup"] = doc{"CacheParameterGroupName": opt(i.props.text("CacheParameterGroupName")), "ParameterApplyStatus": "in-sync"}
	out["AuthTokenEnabled"] = i.props.text("AuthToken") != ""
	out["PendingModifiedValues"] = doc{}
	if address := i.attribute("RedisEndpoint.Address"); nodes && address != "" {
		port, _ := props{"p": i.attribute("RedisEndpoint.Port")}.number("p")
		out["CacheNodes"] = items{"CacheNode", []doc{{"CacheNodeId": "0001", "CacheNodeStatus": "available", "CacheNodeCreateTime": i.created, "Endpoint": doc{"Address": address, "Port": port}}}}
	}
	return out
}

// replicas are the ids of a group's clusters.
func replicas(g networkItem) []string {
	n, ok := g.props.number("NumCacheClusters")
	if !ok {
		shards, _ := g.props.number("NumNodeGroups")
		each, _ := g.props.number("ReplicasPerNodeGroup")
		n = max(1, shards) * (each + 1)
	}
	var out []string
	for k := range n {
		out = append(out, g.id+"-"+fmtThree(int(k)+1))
	}
	return out
}

func fmtThree(n int) string {
	s := "00" + plainText(n)
	return s[len(s)-3:]
}

func describeReplicationGroups(c *call, in props) (doc, error) {
	name := in.text("ReplicationGroupId")
	all, err := asked(c.items(replicationType), name, notThere("ReplicationGroupNotFoundFault", "ReplicationGroup %s not found.", name))
	if err != nil {
		return nil, err
	}
	list, next, err := marked(in, all)
	if err != nil {
		return nil, err
	}
	var out []doc
	for _, i := range list {
		d := shape{
			"CacheNodeType": aText, "SnapshotRetentionLimit": aNumber, "SnapshotWindow": aText, "TransitEncryptionEnabled": aFlag, "AtRestEncryptionEnabled": aFlag,
			"KmsKeyId": aText, "AutoMinorVersionUpgrade": aFlag, "NetworkType": aText, "IpDiscovery": aText, "TransitEncryptionMode": aText, "ClusterMode": aText, "Engine": aText,
		}.of(i.props)
		d["ReplicationGroupId"], d["Description"], d["Status"] = i.id, i.props.text("ReplicationGroupDescription"), "available"
		d["AutomaticFailover"], d["MultiAZ"] = enabled(i.props.flag("AutomaticFailoverEnabled")), enabled(i.props.flag("MultiAZEnabled"))
		d["AuthTokenEnabled"], d["ARN"] = i.props.text("AuthToken") != "", c.arn("elasticache", "replicationgroup:"+i.id)
		d["MemberClusters"] = textItems{"ClusterId", replicas(i)}
		d["ReplicationGroupCreateTime"] = i.created
		port, _ := props{"p": i.attribute("PrimaryEndPoint.Port")}.number("p")
		d["NodeGroups"] = items{"NodeGroup", []doc{{
			"NodeGroupId": "0001", "Status": "available",
			"PrimaryEndpoint": doc{"Address": i.attribute("PrimaryEndPoint.Address"), "Port": port}, "ReaderEndpoint": doc{"Address": i.attribute("ReaderEndPoint.Address"), "Port": port},
		}}}
		out = append(out, d)
	}
	return doc{"ReplicationGroups": items{"ReplicationGroup", out}, "Marker": next}, nil
}

func enabled(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

func describeCacheSubnetGroups(c *call, in props) (doc, error) {
	name := in.text("CacheSubnetGroupName")
	all, err := asked(c.items(cacheSubnetType), name, fail("CacheSubnetGroupNotFoundFault", "Cache Subnet Group %s does not exist.", name))
	if err != nil {
		return nil, err
	}
	list, next, err := marked(in, all)
	var out []doc
	for _, i := range list {
		out = append(out, doc{
			"CacheSubnetGroupName": i.id, "CacheSubnetGroupDescription": i.props.text("Description"), "ARN": c.arn("elasticache", "subnetgroup:"+i.id),
			"Subnets": members("Subnet", i.props.texts("SubnetIds"), func(id string) doc { return doc{"SubnetIdentifier": id} }),
		})
	}
	return doc{"CacheSubnetGroups": items{"CacheSubnetGroup", out}, "Marker": next}, err
}

func listCacheTags(c *call, in props) (doc, error) {
	arn := in.text("ResourceName")
	for typeName, prefix := range map[string]string{cacheType: "cluster:", replicationType: "replicationgroup:", cacheSubnetType: "subnetgroup:"} {
		if id, ok := strings.CutPrefix(arn, c.arn("elasticache", prefix)); ok {
			if i, ok := c.thing(typeName, id); ok {
				return doc{"TagList": items{"Tag", tagDocs(i.tags())}}, nil
			}
		}
	}
	return nil, notThere("CacheClusterNotFound", "CacheCluster not found: %s", arn)
}
