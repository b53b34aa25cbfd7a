/** Where the agent's socket is: in its data directory or, if its path there would be too long, where a file in that directory says. */
export const SOCKET = "agent.sock";
export const ELSEWHERE = "agent.sock.path";
