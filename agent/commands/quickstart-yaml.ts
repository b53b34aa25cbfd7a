export interface QuickstartPlaces {
  /** Absolute, so that a copy of the file reads the same. */
  readonly dashboardSamples: string;
  readonly agentSamples: string;
  /** Where the agent log of this project would be. */
  readonly ownAgentLog: string;
}

/** The pipeline of the quick start, as it is written for its user. */
export function quickstartYaml({ dashboardSamples, agentSamples, ownAgentLog }: QuickstartPlaces): string {
  return `# The pipeline of \`audit-agent quickstart\`. Relative paths are relative to this file.
service:
  data_dir: data
  log_level: warn
  # The live page; \`audit-agent open\` opens it with its token.
  http: { listen: 127.0.0.1:2020 }

pipeline:
  inputs:
    # Hash-chained audit logs of the dashboard: the samples, and your own if you have any.
    - name: tail
      tag: audit.dashboard
      path: [${JSON.stringify(dashboardSamples)}, ~/.loki/dashboard/audit/*.jsonl]
    - name: agent_audit
      tag: audit.agent
      path: [${JSON.stringify(agentSamples)}, ${JSON.stringify(ownAgentLog)}]

  filters:
    - { name: level, match: '*', min: '\${LOKI_AUDIT_LEVEL:-info}' }
    - { name: exclude_events, match: '*', events: [api.request] }
    - { name: metadata, match: '*', add: { environment: '\${ENVIRONMENT:-dev}' }, include: [hostname] }

  outputs:
    # A local archive. For a server, see config/examples/elasticsearch.yaml.
    - { name: file, match: 'audit.*', path: archive/audit-%Y-%m-%d.jsonl }
`;
}
