"""What sam-deploy.sh does to a stack beside SAM: `stack.py template|older FROM TO`,
`stack.py routes|state|archive|quarantine NAME`, `stack.py listen|events`.

Runs in the SAM CLI's environment, which has boto3.
"""

import json
import sys
from pathlib import Path

import boto3
from samcli.yamlhelper import yaml_dump, yaml_parse


def template(source, target):
    """Writes the template without what ministack refuses: alarms on sums of metrics, saved queries. Prints their names."""
    content = yaml_parse(Path(source).read_text())
    resources = content["Resources"]
    refused = [
        name
        for name, resource in resources.items()
        if "Metrics" in resource.get("Properties", {}) or resource["Type"] == "AWS::Athena::NamedQuery"
    ]
    for name in refused:
        del resources[name]
    Path(target).write_text(yaml_dump(content))
    print(", ".join(refused))


def older(source, target):
    """Writes the template with the tables as 0.1.0 had them, without indexes, so that an upgrade adds them."""
    content = yaml_parse(Path(source).read_text())
    for resource in content["Resources"].values():
        table = resource["Properties"]
        if table.pop("GlobalSecondaryIndexes", None):
            keys = {part["AttributeName"] for part in table["KeySchema"]}
            defined = table["AttributeDefinitions"]
            table["AttributeDefinitions"] = [one for one in defined if one["AttributeName"] in keys]
    Path(target).write_text(yaml_dump(content))


def routes(stack):
    """Makes the routes of the API's description, which ministack passes over, and prints the API's id."""
    cloudformation = boto3.client("cloudformation")
    template = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    functions, gateway = boto3.client("lambda"), boto3.client("apigatewayv2")
    for path, methods in template["Resources"]["Api"]["Properties"]["Body"]["paths"].items():
        for method, operation in methods.items():
            method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            integration = operation["x-amazon-apigateway-integration"]
            # arn:…/functions/${Name.Arn}/invocations
            name = integration["uri"]["Fn::Sub"].split("${")[-1].split(".Arn")[0]
            function = functions.get_function(FunctionName=ids[name])["Configuration"]
            made = gateway.create_integration(
                ApiId=ids["Api"],
                IntegrationType="AWS_PROXY",
                IntegrationUri=function["FunctionArn"],
                PayloadFormatVersion=integration["payloadFormatVersion"],
            )
            target = "integrations/" + made["IntegrationId"]
            gateway.create_route(ApiId=ids["Api"], RouteKey=f"{method} {path}", Target=target)
    print(ids["Api"])


def state(stack):
    """Prints how many functions and tables there are, and the functions' memory."""
    functions = boto3.client("lambda").list_functions()["Functions"]
    functions = [function for function in functions if function["FunctionName"].startswith(stack + "-")]
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    tables = [table for table in tables if table.startswith(stack + "-")]
    memory = sorted({function["MemorySize"] for function in functions})
    print(f"{len(functions)} functions {memory}, {len(tables)} tables")


def archive(stack):
    """Prints the folders of the archive that have files, and their tables."""
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    storage = boto3.client("s3")
    names = [found["Key"] for found in storage.list_objects_v2(Bucket=ids["ArchiveBucket"]).get("Contents", [])]
    for name in names:
        content = storage.get_object(Bucket=ids["ArchiveBucket"], Key=name)["Body"].read()
        assert name.endswith(".json") or (content[:4], content[-4:]) == (b"PAR1", b"PAR1"), name
    tables = boto3.client("glue").get_tables(DatabaseName=ids["ArchiveDatabase"])["TableList"]
    print("files of", *sorted({name.split("/")[1] for name in names}), end="; ")
    print("tables", *sorted(table["Name"] for table in tables))


def quarantine(stack):
    """Prints the name of the quarantine's bucket, which is an output of the stack."""
    outputs = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    print(next(output["OutputValue"] for output in outputs if output["OutputKey"] == "QuarantineBucketName"))


def listen():
    """Makes a queue that gets all events of Punchcard from the default event bus."""
    queues, bus = boto3.client("sqs"), boto3.client("events")
    url = queues.create_queue(QueueName=LISTENER)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.put_rule(Name=LISTENER, EventPattern=json.dumps({"source": ["punchcard"]}))
    bus.put_targets(Rule=LISTENER, Targets=[{"Id": LISTENER, "Arn": arn}])


def events():
    """Prints the kinds of events in the queue, and leaves them there."""
    queues, kinds = boto3.client("sqs"), set()
    url = queues.get_queue_url(QueueName=LISTENER)["QueueUrl"]
    # The requests of a run give fewer events than one call returns.
    found = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    for message in found.get("Messages", []):
        event = json.loads(message["Body"])
        assert event["source"] == "punchcard" and event["detail"]["schemaVersion"] == 1, event
        kinds.add(event["detail"]["kind"])
    print(*sorted(kinds))


LISTENER = "punchcard-events"
commands = {
    "template": template,
    "older": older,
    "routes": routes,
    "state": state,
    "archive": archive,
    "quarantine": quarantine,
    "listen": listen,
    "events": events,
}
command, *arguments = sys.argv[1:]
commands[command](*arguments)
