"""A bridge to AWS KMS and S3 by AWS's own client, for objects.rs: reads one request a line as JSON and answers each with
`{"ok": …}` or `{"error": "…"}`. Both services are simulated in this process, on a loopback port of its own."""

import base64
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
common = {
    "endpoint_url": f"http://{host}:{port}",
    "region_name": "eu-central-1",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "config": Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
}
s3, kms = boto3.client("s3", **common), boto3.client("kms", **common)
s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
key = kms.create_key(Description="wraps data keys")["KeyMetadata"]["KeyId"]


def bytes_of(text):
    return base64.b64decode(text)


def text_of(data):
    return base64.b64encode(data).decode()


def answer(request):
    match request["op"]:
        case "key":
            return key
        case "encrypt":
            context = {"modelops": request["binding"]}
            sealed = kms.encrypt(KeyId=request["key"], Plaintext=bytes_of(request["data"]), EncryptionContext=context)
            return text_of(sealed["CiphertextBlob"])
        case "decrypt":
            context = {"modelops": request["binding"]}
            plain = kms.decrypt(KeyId=request["key"], CiphertextBlob=bytes_of(request["data"]), EncryptionContext=context)
            return text_of(plain["Plaintext"])
        case "put":
            s3.upload_file(request["path"], "models", request["name"])
            return None
        case "size":
            return s3.head_object(Bucket="models", Key=request["name"])["ContentLength"]
        case "get":
            span = f"bytes={request['start']}-{request['start'] + request['len'] - 1}"
            return text_of(s3.get_object(Bucket="models", Key=request["name"], Range=span)["Body"].read())
    raise ValueError(request["op"])


for line in sys.stdin:
    try:
        reply = {"ok": answer(json.loads(line))}
    except (BotoCoreError, ClientError) as error:
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
server.stop()
