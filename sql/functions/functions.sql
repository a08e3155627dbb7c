-- The functions, in the order they need each other; paths are relative to this file.
\ir basics.sql
\ir coaches.sql
\ir prompt.sql
\ir personas.sql
\ir chat.sql
\ir feedback.sql
\ir answers.sql
\ir conversations.sql
\ir preferences.sql
\ir rest.sql
\ir memory.sql
\ir training.sql

-- All that the programs may do. What is not named here is for the functions themselves and admins.
grant execute on function
    uplift.schema_version(),
    uplift.ready(),
    uplift.list_coaches(),
    uplift.list_personas(),
    uplift.prepare_chat(uuid, text, text, numeric, text, uuid, uuid, text, int),
    uplift.record_answers(json),
    uplift.reject_answer(text, text),
    uplift.give_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid),
    uplift.get_feedback(uuid, uuid, boolean),
    uplift.list_conversations(uuid, int, timestamptz),
    uplift.get_conversation(uuid, uuid),
    uplift.delete_conversation(uuid, uuid),
    uplift.get_preferences(uuid),
    uplift.put_preferences(uuid, jsonb),
    uplift.rest_select_feedback(uuid, jsonb),
    uplift.rest_update_feedback(uuid, uuid, jsonb)
to uplift_app;
