// What the test is run against, from the environment that t/clients/*.py sets up.
//   CLIENT_BASE_URL  the API, up to /v1
//   CLIENT_API_KEY   what the SDK sends as its key: a user's token
//   CLIENT_TARGET    "uplift", or "simulator" for the provider alone
export const baseURL = process.env.CLIENT_BASE_URL;
export const apiKey = process.env.CLIENT_API_KEY ?? "sk-simulated";
export const isUplift = process.env.CLIENT_TARGET === "uplift";
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

if (!baseURL) {
  console.log("Bail out! CLIENT_BASE_URL is not set: run t/clients/uplift.py or simulator.py");
  process.exit(1);
}

export const question = [{ role: "user", content: "How do I fall asleep faster? I am tired." }];

export const weatherTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather at a place",
    parameters: {
      type: "object",
      properties: { location: { type: "string" }, unit: { type: "string", enum: ["c", "f"] } },
      required: ["location", "unit"],
      additionalProperties: false,
    },
  },
};
