import { Logo } from "./signs.tsx";

export function SignIn({ wrong, signIn }: { wrong: boolean; signIn: (token: string) => void }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const token = new FormData(event.currentTarget as HTMLFormElement).get("token");
    if (typeof token === "string" && token.trim() !== "") signIn(token.trim());
  };
  return (
    <main class="sign-in">
      <form class="panel" onSubmit={submit}>
        <h1>
          <Logo /> audit-agent
        </h1>
        {wrong && (
          <p class="said bad" role="alert">
            The agent does not know this token. It makes a new one when the file is deleted and it is started again.
          </p>
        )}
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="off" spellcheck={false} required autofocus />
        <button type="submit" class="primary">
          Sign in
        </button>
        <p class="hint">
          The token lies in the file <code>http-token</code> in the agent’s data directory. Or run{" "}
          <code>audit-agent open</code> on the agent’s machine, which opens this page signed in.
        </p>
        <p class="hint">It is kept for this tab only and sent to the agent alone.</p>
      </form>
    </main>
  );
}
