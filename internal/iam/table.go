package iam

// Actions gives the table: every action, once for each resource.
func Actions() []Action {
	return []Action{
		{"s3:ListBucket", Bucket, Mount | Init | Care, "", "list directories, and tell what is absent from what is forbidden", []string{"HeadBucket", "ListObjectsV2"}},
		{"s3:ListBucketVersions", Bucket, Mount | Care, "", "show .versions, and find out what became of a request without an answer", []string{"ListObjectVersions"}},
		{"s3:GetBucketVersioning", Bucket, Mount | Init | Care, "", "know whether the bucket keeps versions", []string{"GetBucketVersioning"}},
		{"s3:GetObject", Objects, Mount | Init | Care, "", "read files, and make any request with If-Match",
			[]string{"GetObject", "HeadObject", "PutObject with If-Match", "CopyObject", "UploadPartCopy", "CompleteMultipartUpload with If-Match", "DeleteObject with If-Match"}},
		{"s3:GetObjectVersion", Objects, Mount | Care, "", "read the one version that was opened",
			[]string{"GetObject with versionId", "HeadObject with versionId", "CopyObject from a version", "UploadPartCopy from a version"}},
		{"s3:PutObject", Objects, Write | Init | Care, "", "save files",
			[]string{"PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}},
		{"s3:DeleteObject", Objects, Write | Care, "", "remove and rename files", []string{"DeleteObject"}},
		{"s3:AbortMultipartUpload", Objects, Write | Care, "to free the parts of what was given up", "end uploads", []string{"AbortMultipartUpload"}},
		{"s3:GetObjectTagging", Objects, Write, "for objects that have tags, where no versions are kept", "keep their tags", []string{"GetObjectTagging"}},
		{"s3:GetObjectVersionTagging", Objects, Write, "for objects that have tags", "keep their tags", []string{"GetObjectTagging with versionId"}},
		{"s3:PutObjectTagging", Objects, Write, "for objects that have tags", "keep their tags",
			[]string{"PutObject with tags", "CopyObject with tags", "CreateMultipartUpload with tags"}},
		{"s3:GetObjectAnnotation", Objects, Write, "for objects that have annotations", "copy them", []string{"CopyObject of annotations"}},
		{"s3:PutObjectAnnotation", Objects, Write, "for objects that have annotations", "copy them", []string{"CopyObject of annotations"}},
		{"s3:DeleteObjectVersion", Objects, Care | History, "", "remove what a probe wrote, and versions", []string{"DeleteObject with versionId"}},
		{"s3:PutObjectVersionTagging", Objects, History, "", "label versions", []string{"PutObjectTagging with versionId"}},
		{"s3:DeleteObjectVersionTagging", Objects, History, "", "remove labels", []string{"DeleteObjectTagging with versionId"}},
		{"s3:GetLifecycleConfiguration", Bucket, History, "", "show the bucket's lifecycle rules", []string{"GetBucketLifecycleConfiguration"}},
		{"s3:PutLifecycleConfiguration", Bucket, History, "", "set them", []string{"PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"}},
		{"s3:ListBucketMultipartUploads", Bucket, Mount | Care, "to remember what .versions/@ shows", "know which uploads are under way", []string{"ListMultipartUploads"}},
		{"s3:GetBucketObjectLockConfiguration", Bucket, Care, "", "know the default rule of Object Lock", []string{"GetObjectLockConfiguration"}},
		{"s3:CreateBucket", Bucket, Init, "", "create the bucket", []string{"CreateBucket"}},
		{"s3:PutBucketVersioning", Bucket, Init, "", "switch versioning on", []string{"PutBucketVersioning"}},

		{"s3:ListBucket", LockBucket, Write | Init | Care, "", "collect the mail of a session", []string{"ListObjectsV2"}},
		{"s3:GetObject", LockObjects, Write | Init | Care, "", "read locks and sessions", []string{"GetObject", "PutObject with If-Match"}},
		{"s3:PutObject", LockObjects, Write | Init | Care, "", "take locks and beat", []string{"PutObject"}},
		{"s3:DeleteObject", LockObjects, Write | Care, "", "remove the records of released locks, and mail that was read", []string{"DeleteObject"}},
		{"s3:GetBucketVersioning", LockBucket, Init | Care, "", "refuse a bucket that keeps versions", []string{"GetBucketVersioning"}},
		{"s3:GetBucketObjectLockConfiguration", LockBucket, Care, "", "refuse a bucket that retains them", []string{"GetObjectLockConfiguration"}},
		{"s3:CreateBucket", LockBucket, Init, "", "create the bucket", []string{"CreateBucket"}},

		{"dynamodb:GetItem", LockTable, Write | Init | Care, "", "read locks and sessions", []string{"GetItem"}},
		{"dynamodb:UpdateItem", LockTable, Write, "", "take locks and beat", []string{"UpdateItem"}},
		{"dynamodb:DeleteItem", LockTable, Write, "", "release locks", []string{"DeleteItem"}},
		{"dynamodb:DescribeTable", LockTable, Write | Init | Care, "to refuse a table that was replicated to other regions", "know its replicas", []string{"DescribeTable"}},
		{"dynamodb:Scan", LockTable, Init, "", "tell an empty table from a foreign one", []string{"Scan"}},
		{"dynamodb:PutItem", LockTable, Init, "", "write the table's times", []string{"PutItem"}},
		{"dynamodb:CreateTable", LockTable, Init, "", "create the table", []string{"CreateTable"}},
		{"dynamodb:UpdateTimeToLive", LockTable, Init, "", "let ended sessions go by themselves", []string{"UpdateTimeToLive"}},

		{"kms:Decrypt", Key, Mount | Init | Care, "where a KMS key of one's own encrypts the bucket", "read files", nil},
		{"kms:GenerateDataKey", Key, Write | Init | Care, "where a KMS key of one's own encrypts the bucket", "save files", nil},
	}
}
