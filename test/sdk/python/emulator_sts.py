#!/usr/bin/env python3
"""The Security Token Service as the official core SDK calls it, and its keys in the SDKs of all services."""
import json
import os

import oss2
import tablestore
from aliyun.log import LogException
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from odps import ODPS
from odps.accounts import StsAccount

import loghub_client
from checks import ok, section
from mctest import KEY, MAXCOMPUTE, OSS, TABLESTORE, command, oss_bucket, ots_create

ARN = "acs:ram::1234567890123456:role/judge"


def assume(key=KEY, method="GET", **more):
    client = AcsClient(key[0], key[1], "cn-hangzhou", auto_retry=False, max_retry_time=0)
    request = CommonRequest(domain="127.0.0.1:" + os.environ["MC_STS_PORT"], version="2015-04-01", action_name="AssumeRole")
    request.set_protocol_type("http")
    request.set_method(method)
    request.set_accept_format("JSON")
    for name, value in dict({"RoleArn": ARN, "RoleSessionName": "judge", "DurationSeconds": 900}, **more).items():
        (request.add_body_params if method == "POST" else request.add_query_param)(name, value)
    # the proxy is for Log Service's names; this SDK would take it for an address, too
    proxy = os.environ.pop("http_proxy")
    try:
        return json.loads(client.do_action_with_exception(request))
    finally:
        os.environ["http_proxy"] = proxy


def calls():
    for method in ("GET", "POST"):
        answer = assume(method=method, ExternalId="a+=,.@:/-_b",
                        Policy='{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:*", "Resource": "*~+&="}]}')
        ok("AssumeRole by %s" % method, answer["AssumedRoleUser"]["Arn"] == ARN + "/judge" and
           set(answer["Credentials"]) == {"AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"}, answer)
    for name, code, key, more in (
            ("a wrong secret", "SignatureDoesNotMatch", (KEY[0], "wrong"), {}),
            ("an unknown key", "InvalidAccessKeyId.NotFound", ("nobody", "x"), {}),
            ("no such role", "EntityNotExist.Role", KEY, {"RoleArn": "acs:ram::1:role/no"}),
            ("a session name", "InvalidParameter.RoleSessionName", KEY, {"RoleSessionName": "a b"}),
            ("a duration", "InvalidParameter.DurationSeconds", KEY, {"DurationSeconds": 60}),
            ("a policy", "InvalidParameter.PolicyGrammar", KEY, {"Policy": "{"})):
        try:
            ok(name, False, assume(key, **more))
        except ServerException as e:
            # the core SDK has a word of its own when it computed the same string to sign
            ok(name, e.get_error_code() in (code, "InvalidAccessKeySecret"), e)


def uses(keys):
    """what each service's SDK says with these keys: None = it works"""
    key, secret, token = keys["AccessKeyId"], keys["AccessKeySecret"], keys["SecurityToken"]

    def loghub():
        return loghub_client.client(key, secret, securityToken=token).list_logstore("web")

    def maxcompute():
        return ODPS(account=StsAccount(key, secret, token), project="demo", endpoint=MAXCOMPUTE).exist_table("none")

    def ots():
        return tablestore.OTSClient(TABLESTORE, key, secret, "demo", sts_token=token).describe_table("judge_sts")

    def oss(**how):
        return oss2.Bucket(oss2.StsAuth(key, secret, token, **how), OSS, "judge-sts", region="cn-hangzhou").get_bucket_info()

    found = {}
    for name, call in (("LogHub", loghub), ("MaxCompute", maxcompute), ("Tablestore", ots), ("OSS V1", oss),
                       ("OSS V4", lambda: oss(auth_version="v4"))):
        try:
            call()
            found[name] = None
        except LogException as e:
            found[name] = "%s %s" % (e.get_error_code(), e.get_error_message())
        except Exception as e:
            found[name] = "%s %s" % (getattr(e, "code", ""), e)
    return found


def keys():
    issued = assume()["Credentials"]
    for name, why in uses(issued).items():
        ok("%s takes an issued key" % name, why is None, why)
    for name, why in uses(dict(issued, SecurityToken="CAISother")).items():
        ok("%s refuses another token" % name, why is not None and "expired" not in why, why)
    for name, why in uses(dict(issued, AccessKeySecret="other")).items():
        ok("%s refuses another secret" % name, why is not None, why)
    command("sts", "expire")
    for name, why in uses(issued).items():
        ok("%s says that it has expired" % name, why is not None and ("expired" in why or "Expired" in why), why)


command("sts", "role", arn=ARN)
try:
    command("loghub", "create_project", project="web")
except OSError:
    pass    # it is there
command("maxcompute", "create_project", project="demo")
oss_bucket("judge-sts")
ots_create("judge_sts", [("k", "INTEGER")])
section(calls)
section(keys)
