/* The words of the simulated coaches. */
#include "phrases.h"

const char *const phrase_openers[VOICES][BANDS][OPENERS] = {
    [VOICE_PLAIN] =
        {
            {"It is good that you are here{n}, and there is no rush at all.",
             "Thank you for saying it{n}. Nothing has to be solved right now."},
            {"Good that you asked{n}; that is already a step.",
             "You are starting from a better place than you may think{n}."},
            {"Fair question{n}.", "Let us take it apart{n}."},
            {"Plainly{n}: this needs a decision, not more thinking.",
             "Short version{n}: you know the problem, so let us fix it."},
            {"No more warming up{n}. Time to do it.", "Stop negotiating with yourself{n}."},
            {"That was a very long way of saying \"not yet\"{n}.",
             "I have read excuses before{n}; this one did not even try."},
        },
    [VOICE_LOUD] =
        {
            {"Hey{n}. Quiet set tonight: soft lights, small stage, just you and me.",
             "Lights down low{n}. There is no audience to please here."},
            {"Good to hear you{n}! The crowd is already on your side.",
             "That is a lovely opening note{n}, and I mean it!"},
            {"Right{n}, sound check!", "Okay{n}, I hear you loud and CLEAR."},
            {"No long intro{n}. This is not loud enough yet, and you know it.",
             "Straight to the main stage{n}: you skipped a beat."},
            {"House lights UP{n}. Nobody came here to hear excuses.",
             "Amps to ten{n}. You said you wanted this, so PLAY it."},
            {"Was that a plan{n}, or feedback from a broken speaker?",
             "I have heard more commitment from an UNPLUGGED amp{n}."},
        },
    [VOICE_CALM] =
        {
            {"Sit down a moment{n}. There is no hurry here, and nothing that you need to prove.",
             "Thank you for telling me{n}. Let us just look at it together, as one looks at rain "
             "from a dry window."},
            {"I am glad that you brought this{n}. Good soil is half the harvest.",
             "You noticed it yourself{n}, and noticing is where things begin to grow."},
            {"Let us look at the roots first{n}.",
             "A fair question{n}. Some of this is weather, and some of it is how the tree was "
             "planted."},
            {"I will say it plainly{n}: this branch has to come off.",
             "Here it is without wrapping{n}: nothing grows where nothing is planted."},
            {"Enough looking at the sky{n}. The ground is ready and you are still holding the "
             "spade.",
             "The season will not wait for you{n}, and you know that as well as I do."},
            {"I have seen fence posts with more growth in them{n}.",
             "You have been calling this winter for a long while{n}. It is June."},
        },
    [VOICE_DRY] =
        {
            {"Let us leave the books closed for a moment{n}: how you are does not need a column.",
             "Nothing is overdue here{n}. We are only taking a quiet look."},
            {"An encouraging entry{n}; I note it in ink.",
             "The position is better than you may think{n}."},
            {"Let us set it out{n}.", "For the record{n}, this is how the position looks."},
            {"The figures first{n}: they do not support the story.",
             "One line will do{n}: the account is short, and the reason is known."},
            {"This is the second reminder{n}. There is no third.",
             "Payment is due{n}: today, in full, in effort."},
            {"I have audited excuses for years{n}, and this one would not pass as petty cash.",
             "Congratulations{n}: insolvent in effort, with no visible expenditure."},
        },
};

const char *const phrase_stances[BANDS][STANCES] = {
    {"Whatever you feel about it is allowed, and having tried at all already counts.",
     "You may go as slowly as you like; even thinking about it is a kind thing to do for yourself.",
     "It makes sense that this feels heavy, and it says nothing bad about you."},
    {"You have managed harder things than this, and a slip is only information.",
     "What went well: you noticed. From here it is one small thing at a time.",
     "Setbacks are part of how this works, and you are still in it."},
    {"Part of this works already; the part that does not is mostly timing.",
     "What is good: you can name it. What is missing: a fixed moment for it.",
     "Credit for being honest about it. Now it wants something small that repeats."},
    {"What is wrong is simple: it has no day, no hour and no amount.",
     "Wanting it is not a plan. A plan has a when.",
     "You left the hard part out, so let us put it in."},
    {"You told me that this matters. Then act like it. I would not push if I did not think that "
     "you can do more.",
     "No more maybe. Decide, then move. You are stronger than this excuse.",
     "That is a reason, not a result. I want the result, and you can get it."},
    {"You have put more work into the explanation than the thing itself would have taken.",
     "At this pace your good intentions will be found by archaeologists: unused, in mint "
     "condition.",
     "Your plan has everything except a plan. It is a wish with a haircut."},
};

const char *const phrase_reflections[VOICES][PAIR] = {
    [VOICE_PLAIN] = {"You say: \"{q}\".", "\"{q}\": that is the part that matters."},
    [VOICE_LOUD] = {"\"{q}\": I heard that from the back row.",
                    "\"{q}\" - that is the riff we work with."},
    [VOICE_CALM] = {"You say \"{q}\", and I let that stand for a moment.",
                    "\"{q}\": there is a root under that, as a rule."},
    [VOICE_DRY] = {"Item one, in your own words: \"{q}\".", "Entered as stated: \"{q}\"."},
};

const char *const phrase_history[VOICES][PAIR] = {
    [VOICE_PLAIN] = {"It fits with what you said before: \"{h}\".",
                     "Earlier you told me \"{h}\", and I keep that in mind."},
    [VOICE_LOUD] = {"And I have not forgotten the last song: \"{h}\".",
                    "Earlier tonight you gave me \"{h}\", so let us build on that."},
    [VOICE_CALM] = {"A little earlier you told me \"{h}\". The two belong to the same tree.",
                    "I come back to what you said before: \"{h}\"."},
    [VOICE_DRY] = {"Carried forward from before: \"{h}\".",
                   "To be reconciled with your earlier statement: \"{h}\"."},
};

const char *const phrase_memories[2][KINDS][PAIR] = {
    {
        [KIND_GOAL] = {"It all counts toward what you are after: \"{m}\".",
                       "I keep your goal in view: \"{m}\"."},
        [KIND_STRUGGLE] = {"I know the hard spot, \"{m}\", so we plan around it.",
                           "I remember where it usually slips: \"{m}\". So we make that part "
                           "easier."},
        [KIND_PREFERENCE] = {"I remember what suits you: \"{m}\". We use that.",
                             "And since I know this about you, \"{m}\", it can be made to fit."},
        [KIND_SUCCESS] = {"You have proof that you can: \"{m}\".",
                          "Do not forget what you have done already: \"{m}\"."},
        [KIND_OTHER] = {"I remember: \"{m}\".", "My notes say \"{m}\", and it belongs here."},
    },
    {
        [KIND_GOAL] = {"You said it yourself: \"{m}\". This is not what that looks like.",
                       "\"{m}\" was your idea, not mine."},
        [KIND_STRUGGLE] = {"\"{m}\": an old acquaintance. It does not get a chair any more.",
                           "And do not hand me \"{m}\" again. I have that one on file."},
        [KIND_PREFERENCE] = {"You even told me what suits you: \"{m}\". So nothing is in the way.",
                             "\"{m}\", you said. Fine. Then use it."},
        [KIND_SUCCESS] = {"You have done this before: \"{m}\". So do not tell me that you cannot.",
                          "The person who did that, \"{m}\", where are they hiding?"},
        [KIND_OTHER] = {"I have not forgotten \"{m}\", even if you would like me to.",
                        "It is all in my notes: \"{m}\"."},
    },
};

const char *const phrase_closers[VOICES][TONES][PAIR] = {
    [VOICE_PLAIN] = {{"How does that feel to you?", "Would you like to tell me more?"},
                     {"What will you try first?", "Tell me how it went?"},
                     {"When exactly do you start?", "Report back tonight. Done or not done."}},
    [VOICE_LOUD] = {{"Shall we hum the first bar together?", "What would make it a nice evening?"},
                    {"So, what is the FIRST beat?", "What gets played before tonight is over?"},
                    {"You are on in five. GO.", "Next time I hear from you, I want 90 decibels."}},
    [VOICE_CALM] = {{"What would feel light enough today?",
                     "Shall we leave it at that, and see what tomorrow's weather brings?"},
                    {"Which of these could you imagine for this week?",
                     "There is time, though not endless time. Where do you begin?"},
                    {"I will ask you about it the next time. I do not forget.",
                     "Take up the spade today. Then we talk about the harvest."}},
    [VOICE_DRY] = {{"No entry is needed today, unless you would like to make one.",
                    "Is there anything you would like me to note?"},
                   {"Position: open. Next entry due: tomorrow. What is the figure today?",
                    "Position: nearly in the black. Which line do we post first?"},
                   {"Position: in the red. Next entry due: tonight.",
                    "The account stays open until you close it. I am waiting."}},
};

const char *const phrase_burns[BURNS] = {
    "\"{q}\"? My toaster shows more follow-through, and it has one setting.",
    "If \"{q}\" were a sport, you would be a professional, and still late for practice.",
    "\"{q}\" - framed, that would look lovely in a museum of things that almost happened.",
    "I ran \"{q}\" past a sloth. It asked you to slow down with the excuses.",
    "\"{q}\" has the energy of a phone on two per cent that closed all the useful apps first.",
    "Somewhere a gym membership read \"{q}\" and filed for divorce.",
};

const char *const phrase_times[TIMES] = {
    "starting today",         "starting tonight, not on Monday",     "from tomorrow morning on",
    "for the next five days", "beginning with the very next chance", "today and again tomorrow",
};

const char *const phrase_greetings[VOICES][TONES] = {
    [VOICE_PLAIN] = {"Hello{n}, how nice that you are here. What is on your mind? Take your time.",
                     "Hello{n}! What would you like to work on?",
                     "Hello{n}. What is the problem, and since when?"},
    [VOICE_LOUD] = {"Hey hey{n}. Doors open, no ticket needed. What is on your mind?",
                    "HELLO{n}! Stage is yours. What are we playing today?",
                    "You are late for sound check{n}. What is the plan, and is it LOUD?"},
    [VOICE_CALM] = {"Hello{n}. Sit down, the kettle is on. How are you, really?",
                    "Good day{n}. What has grown since we last spoke, and what has not?",
                    "Good day{n}. Let us not talk about the weather. What was left undone?"},
    [VOICE_DRY] = {"Good day{n}. Nothing is due. How are you?",
                   "Good day{n}. The books are open. What shall we enter?",
                   "Good day{n}. There is an unexplained item in your week. Begin."},
};

const char *const phrase_thanks[VOICES][TONES] = {
    [VOICE_PLAIN] = {"You are very welcome{n}. Be kind to yourself today.",
                     "You are welcome{n}. Tell me how it goes!", "Thank me when it is done{n}."},
    [VOICE_LOUD] = {"Aw, thank YOU{n}. That was a lovely little encore.",
                    "Any time{n}! Take a bow, then play the next one.",
                    "Save the applause{n}. The show is not over."},
    [VOICE_CALM] = {"Gladly{n}. Let it rest now; rest is part of growing.",
                    "Gladly{n}. We look at it again when you have tried it.",
                    "Do not thank the rain{n}, do the planting."},
    [VOICE_DRY] = {"Noted with pleasure{n}. No invoice follows.",
                   "Received{n}, and entered under goodwill.",
                   "Gratitude is not legal tender{n}. Effort is."},
};

const char *const phrase_step_names[VOICES] = {
    [VOICE_PLAIN] = "Step",
    [VOICE_LOUD] = "Beat",
    [VOICE_CALM] = "Row",
    [VOICE_DRY] = "Entry",
};

const char *const phrase_in_danger =
    "I am putting the coaching aside, because what you wrote matters more than any plan. I am "
    "really sorry that it hurts this much, and I am glad that you said it.\n\n"
    "Please talk to a person now, not to a program:\n\n"
    "- If you could be in danger tonight, call your local emergency number (112 in Europe, 911 in "
    "the US).\n"
    "- In the US and Canada you can call or text **988**; in the UK and Ireland the Samaritans "
    "answer on **116 123**; findahelpline.com lists lines in other countries.\n"
    "- Tell one person near you, a friend, a relative or a doctor, in the words that you used "
    "here.\n\n"
    "You do not have to explain it well, and you do not have to be alone with it. Is there "
    "somebody who can be with you right now?";

const char *const phrase_reason = "Why it works: ";
const char *const phrase_example = "For example: ";
const char *const phrase_praise = "What you are doing well: ";

const char *const phrase_short[BANDS] = {
    "Only if it feels easy: {s}.",
    "Maybe just this: {s}, {w}. You can do this.",
    "Just this: {s}, {w}.",
    "Just this: {s}, {w}. No maybe.",
    "Your challenge: {s}, {w}. Done means done.",
    "One order: {s}, {w}. Not later.",
};
