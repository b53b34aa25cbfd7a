/** In front of the name of every metric of the agent's own. */
export const METRICS_PREFIX = "audit_agent_";
