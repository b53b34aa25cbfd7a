/** AWS's token service as its API reference describes AssumeRole. https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
import { type FakeAnswer, FakeHttpServer, type ReceivedRequest } from "./http-server.ts";

export class FakeSts extends FakeHttpServer<"denied"> {
  /** How long the credentials last that it gives out. */
  lastsMs = 3_600_000;
  /** What was asked of it, in order. */
  readonly asked: URLSearchParams[] = [];
  /** Access keys that asked. */
  readonly askedBy: string[] = [];

  static start(): Promise<FakeSts> {
    return new FakeSts().listen();
  }

  protected override answer({ headers, body }: ReceivedRequest): FakeAnswer {
    const what = new URLSearchParams(body.toString());
    const headersOf = { "content-type": "text/xml" };
    this.asked.push(what);
    this.askedBy.push(/Credential=([^/]+)/.exec(headers.authorization ?? "")?.[1] ?? "");
    if (this.mode === "denied") {
      const said = "User: x is not authorized to perform: sts:AssumeRole on resource: r";
      const text = `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>${said}</Message></Error></ErrorResponse>`;
      return { status: 403, text, headers: headersOf };
    }
    const number = this.asked.length;
    const until = new Date(Date.now() + this.lastsMs).toISOString();
    const text = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
      <AccessKeyId>ROLE${number}</AccessKeyId><SecretAccessKey>role-secret-${number}</SecretAccessKey>
      <SessionToken>role-token-${number}</SessionToken><Expiration>${until}</Expiration>
      </Credentials></AssumeRoleResult></AssumeRoleResponse>`;
    return { status: 200, text, headers: headersOf };
  }
}
