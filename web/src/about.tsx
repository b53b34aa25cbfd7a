import type { PipelineView } from "../../agent/api/operate.ts";
import { bytes, clock, plural, span } from "./format.ts";
import { visible } from "./text.ts";

/** What one needs to say in a report of a fault. */
export function About({ view }: { view: PipelineView }) {
  const { version, node, pid, started_at: started, config, time, process, last_reload: reload } = view;
  return (
    <section id="about" aria-labelledby="about-title" tabIndex={-1}>
      <h2 id="about-title">About this agent</h2>
      <dl class="about panel">
        <Fact name="Version" value={version} />
        <Fact name="Node name" value={node} />
        <Fact name="Process" value={`${pid}, ${bytes(process.resident_bytes)} resident`} />
        <Fact name="CPU time" value={span(process.cpu_seconds)} />
        <Fact name="Started" value={clock(started, time)} />
        <Fact name="Configuration" value={visible(config)} />
        {reload && (
          <Fact
            name="Last reload"
            value={`${clock(reload.at, time)} by ${visible(reload.by)}: ${
              reload.applied ? `taken, ${plural(reload.changes.length, "change")}` : "not taken"
            }`}
          />
        )}
      </dl>
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </div>
  );
}
